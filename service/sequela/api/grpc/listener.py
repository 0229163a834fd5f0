"""The address, TLS files and connection limits of the gRPC server."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for TLS. With `client_ca`, clients must present a certificate issued by that authority."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Returns the credentials for gRPC. Raises OSError if a file cannot be read or is not a PEM file."""
        self._check()
        authority = self.client_ca.read_bytes() if self.client_ca else None
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        return grpc.ssl_server_credentials([pair], authority, authority is not None)

    def _check(self) -> None:
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
            raise OSError(f"--tls-certificate and --tls-key: {what} ({error.reason})") from error
        if self.client_ca is None:
            return
        try:
            context.load_verify_locations(self.client_ca)
        except ssl.SSLError as error:
            raise OSError(
                f"--tls-client-ca: {self.client_ca} must be a certificate in PEM ({error.reason})"
            ) from error


@dataclass(frozen=True, slots=True)
class GrpcListener:
    """The address, the TLS files (None for plain text) and the limits of connections.

    Times are in seconds. A `max_connection_age` of 0 means no limit.
    """

    host: str
    port: int
    tls: TlsFiles | None = None
    max_message_bytes: int = 64 << 20
    keepalive: float = 60.0
    min_ping_interval: float = 10.0
    max_connection_age: float = 0.0
    connection_age_grace: float = 30.0

    def bind(self, server: grpc.aio.Server) -> str:
        """Binds the server and returns the address with the actual port. Raises OSError if it cannot listen."""
        wanted = address(self.host, self.port)
        try:
            if self.tls is None:
                port = server.add_insecure_port(wanted)
            else:
                port = server.add_secure_port(wanted, self.tls.credentials())
        except RuntimeError as error:
            raise OSError(f"cannot listen on {wanted}: {error}") from error
        return address(self.host, port)

    @property
    def options(self) -> list[tuple[str, int]]:
        """Returns the limits as gRPC channel arguments."""
        age = [
            ("grpc.max_connection_age_ms", _millis(self.max_connection_age)),
            ("grpc.max_connection_age_grace_ms", _millis(self.connection_age_grace)),
        ]
        return [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", _millis(self.keepalive)),
            ("grpc.http2.min_ping_interval_without_data_ms", _millis(self.min_ping_interval)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.so_reuseport", 0),  # by default gRPC would share a port that is already in use
            *(age if self.max_connection_age else ()),
        ]


def address(host: str, port: int) -> str:
    """Returns `host:port`, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _millis(seconds: float) -> int:
    return round(seconds * 1000)
