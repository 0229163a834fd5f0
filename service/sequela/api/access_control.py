"""Decides whether a request is served: who sent it, and what its roles permit. gRPC and HTTP use the same object."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.access.audit import Audit, AuditEntry, no_audit
from sequela.access.authenticator import Authenticator, NoAuthentication
from sequela.access.caller import ANYBODY, Caller
from sequela.access.credentials import CallerCredentials
from sequela.api.access_record import AccessRecord
from sequela.api.audited_names import audited_name
from sequela.api.permissions import GRANTS, Permissions
from sequela.errors import NotAuthenticated


@dataclass(frozen=True, slots=True, eq=False)
class AccessControl:
    """Checks callers before their messages are read."""

    authenticator: Authenticator
    permissions: Permissions
    audit: Audit = no_audit

    def admit(self, method: str, credentials: CallerCredentials, record: AccessRecord) -> None:
        """Finds out who calls, notes it in the record, and checks that it may call the method.

        Raises:
            NotAuthenticated: The caller has not shown who it is, and the method is not open to everybody.
            NotPermitted: Its roles do not permit the method.
        """
        if not self.authenticator.enabled:
            record.caller = ANYBODY
        elif not self.permissions.is_open(method):
            record.caller = self._identify(credentials, record)
            self.permissions.check(method, record.caller)

    def _identify(self, credentials: CallerCredentials, record: AccessRecord) -> Caller:
        try:
            return self.authenticator.identify(credentials)
        except NotAuthenticated as error:
            # A caller whose token has expired is known, but it has no roles any more.
            if error.caller:
                record.caller = Caller(error.caller, frozenset())
            raise

    def report(self, record: AccessRecord, method: str, outcome: str, reason: str, request_id: str) -> None:
        """Writes a request to the audit log, unless its method is open to everybody."""
        if not self.permissions.is_open(method):
            resource = audited_name(record.resource, served=_is_good(outcome))
            self.audit(AuditEntry(record.caller.name, method, resource, outcome, reason, request_id))


def _is_good(outcome: str) -> bool:
    """Returns whether a gRPC code or an HTTP status is that of a request that was served."""
    return outcome == "OK" or outcome.startswith("2")


NO_CONTROL = AccessControl(NoAuthentication(), Permissions(GRANTS))
"""Lets everybody call every method."""
