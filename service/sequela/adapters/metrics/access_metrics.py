"""Metrics of certificates, of the files that say who may call, and of the audit log."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from sequela.explain.telemetry import AuditLineLost, CredentialsReloaded, Record


class AccessMetrics:
    """Counts how often these files were read again, and the lines that the audit log lacks."""

    takes = (CredentialsReloaded, AuditLineLost)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reloads = Counter(
            "sequela_credential_reloads",
            "Reads of changed certificates, tokens, identities, revoked clients and keys of signed tokens. After "
            "failed, the last good content is in use: read the log, and correct the file.",
            ("source", "outcome"),
            registry=registry,
        )
        self._lost = Counter(
            "sequela_audit_lines_lost",
            "Lines of the audit log that could not be written. Any increase: check the disk and the permissions of "
            "the file of --audit-log.",
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case CredentialsReloaded(source, ok):
                self._reloads.labels(source, "ok" if ok else "failed").inc()
            case AuditLineLost():
                self._lost.inc()
