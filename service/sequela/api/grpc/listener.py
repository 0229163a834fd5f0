"""The address, certificates and connection limits of the gRPC server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from sequela.access.watched_files import WatchedFiles
from sequela.api.bind_errors import BindOptions, address, bind_error, find_bind_error
from sequela.api.tls import HANDSHAKE_SECONDS, TlsContent

OPTIONS = BindOptions("--host", "--port")


class TlsCredentials:
    """Gives gRPC the certificates for each new connection. It must live as long as the server."""

    def __init__(self, files: WatchedFiles[TlsContent]) -> None:
        self._files = files
        self._given = files.current()
        first = _configuration(self._given)
        # The last argument is whether clients must have a certificate. That cannot change with the files.
        # The stubs do not know that None stands for the same certificates as before.
        fetch: Any = self._fetch
        self.grpc = grpc.dynamic_ssl_server_credentials(first, fetch, self._given.client_ca is not None)

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns the new certificates; None if they are the same. gRPC calls this from threads of its own."""
        content = self._files.current()
        if content is self._given:
            return None
        self._given = content
        return _configuration(content)


def _configuration(content: TlsContent) -> grpc.ServerCertificateConfiguration:
    pairs = [(content.key, content.certificate)]
    return grpc.ssl_server_certificate_configuration(pairs, content.client_ca)


@dataclass(frozen=True, slots=True)
class GrpcListener:
    """The address, the certificates (None for plain text) and the limits of connections.

    Times are in seconds. A `max_connection_age` of 0 means no limit.
    """

    host: str
    port: int
    tls: TlsCredentials | None = None
    max_message_bytes: int = 64 << 20
    max_connections: int = 1024
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
                port = server.add_secure_port(wanted, self.tls.grpc)
        except RuntimeError as error:
            # gRPC does not say why, so it is tried once more without it.
            reason = find_bind_error(self.host, self.port)
            raise bind_error(self.host, self.port, OPTIONS, reason) from error
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
            ("grpc.max_allowed_incoming_connections", self.max_connections),
            ("grpc.keepalive_time_ms", _millis(self.keepalive)),
            ("grpc.http2.min_ping_interval_without_data_ms", _millis(self.min_ping_interval)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.server_handshake_timeout_ms", _millis(HANDSHAKE_SECONDS)),
            # Otherwise gRPC would accept megabytes of a message that the server does not read yet.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.so_reuseport", 0),  # by default gRPC would share a port that is already in use
            *(age if self.max_connection_age else ()),
        ]


def _millis(seconds: float) -> int:
    return round(seconds * 1000)
