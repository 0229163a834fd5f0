"""Finds out, by a TLS handshake of its own, what a server requires that closed a connection without giving a reason."""

from __future__ import annotations

import socket
import ssl
from enum import StrEnum

from sequela_client.credentials import Credentials

_PROBE_SECONDS = 2.0


class Requirement(StrEnum):
    """What a server was found to require of its clients."""

    NOTHING = "nothing"
    """It does not use TLS, or does not answer."""
    TLS = "tls"
    CERTIFICATE = "certificate"
    """TLS, and a client certificate: none was presented, or not one that it accepts."""


def requirement(host: str, port: int, credentials: Credentials | None) -> Requirement:
    """Asks the server. Only a handshake is sent, and the server's certificate is not checked.

    Args:
        host: the host.
        port: its port.
        credentials: their certificate is presented, if they have one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The question is what the server requires, not whether it is to be trusted.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # gRPC servers refuse a handshake that does not offer HTTP/2.
    context.set_alpn_protocols(["h2"])
    try:
        if credentials is not None and credentials.certificate is not None:
            # A password is never asked for; keys that have one were refused before.
            context.load_cert_chain(credentials.certificate, credentials.key, "")
        with (
            socket.create_connection((host, port), _PROBE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            return _after_handshake(secured)
    except ssl.SSLError as error:
        return Requirement.CERTIFICATE if _misses_certificate(error) else Requirement.NOTHING
    except OSError:
        return Requirement.NOTHING


def _after_handshake(secured: ssl.SSLSocket) -> Requirement:
    """If the server closes the connection now, it does not accept our certificate, or requires one."""
    try:
        # In TLS 1.3 the handshake ends before the server has checked the client's certificate.
        return Requirement.TLS if secured.recv(1) else Requirement.CERTIFICATE
    except TimeoutError:
        return Requirement.TLS
    except OSError as error:
        refused = isinstance(error, ConnectionError) or _misses_certificate(error)
        return Requirement.CERTIFICATE if refused else Requirement.TLS


def _misses_certificate(error: OSError) -> bool:
    reason = getattr(error, "reason", None) or ""
    return any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE"))
