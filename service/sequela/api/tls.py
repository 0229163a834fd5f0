"""The TLS files of both servers, which are read again when they change."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sequela.access.watched_files import Report, WatchedFiles

HANDSHAKE_SECONDS = 10.0
"""How long a client may take for the handshake, in seconds. gRPC's own limit is two minutes, and asyncio's one."""


@dataclass(frozen=True, slots=True, eq=False)
class TlsContent:
    """The content of the files. `client_ca` is None if clients need no certificate.

    `context` is for HTTP. It asks clients for a certificate, but does not require one, so that probes need none.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    context: ssl.SSLContext = field(repr=False)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for TLS. With `client_ca`, clients must present a certificate issued by that authority."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def watch(self, report: Report) -> WatchedFiles[TlsContent]:
        """Returns the files, which are read again when they change. Raises OSError if a file is wrong now."""
        return WatchedFiles(
            "tls", filter(None, (self.certificate, self.key, self.client_ca)), self.read, report
        )

    def read(self) -> TlsContent:
        """Reads the files. Raises OSError if one cannot be read, or is not in PEM."""
        context = self._context()
        authority = self.client_ca.read_bytes() if self.client_ca else None
        return TlsContent(self.certificate.read_bytes(), self.key.read_bytes(), authority, context)

    def _context(self) -> ssl.SSLContext:
        """Raises OSError that names the invalid file, because gRPC only reports that it cannot listen."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for path in (self.key, self.certificate):
            # This raises the usual error with the path, which OpenSSL's errors do not have.
            path.open("rb").close()
        try:
            # Without a password, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except ssl.SSLError as error:
            what = f"{self.certificate} and {self.key} must be a certificate and its key, in PEM and without a password"
            raise OSError(f"--tls-certificate and --tls-key: {what} ({error.reason or error})") from error
        if self.client_ca is None:
            return context
        try:
            context.load_verify_locations(self.client_ca)
        except ssl.SSLError as error:
            raise OSError(
                f"--tls-client-ca: {self.client_ca} must be a certificate in PEM ({error.reason or error})"
            ) from error
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


class ReloadingContext(ssl.SSLContext):
    """Gives each new connection the context of the files as they are then.

    A context that has trusted an authority cannot forget it, so every change of the files makes a new one. That also
    ends the resumption of sessions that began before the change.
    """

    _files: WatchedFiles[TlsContent]

    @classmethod
    def of(cls, files: WatchedFiles[TlsContent]) -> ReloadingContext:
        """Returns the context of these files."""
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context._files = files
        return context

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        """Begins a connection. asyncio calls this for each one."""
        return self._files.current().context.wrap_bio(*given, **named)
