"""Finds out from gRPC's message why a server could not be reached, since gRPC has one code for all reasons."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sequela_client.credentials import Credentials
from sequela_client.errors import (
    CallerError,
    CertificateExpired,
    CertificateNotTrusted,
    ClientCertificateRefused,
    ClientCertificateRequired,
    DeadlineExceeded,
    HostNameMismatch,
    SequelaError,
    TlsHandshakeFailed,
    TlsNotOffered,
    TlsRequired,
    Unavailable,
)
from sequela_client.server_address import ServerAddress
from sequela_client.tls_probe import Requirement, requirement

_NOT_CONNECTED = re.compile(
    r"connections to all backends failing|failed to connect|DNS resolution failed|errors resolving",
    re.IGNORECASE,
)
_LATE = "Deadline Exceeded"
_UNTRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED(?:: (?P<why>[^:]+))?")
_OTHER_HOST = re.compile(r"Hostname Verification|not in peer certificate")
_CLOSED = re.compile(r"Socket closed|Connection reset|Broken pipe|GOAWAY", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Peer:
    """The server that was called, and how.

    Args:
        address: its address.
        secure: whether TLS was used.
        credentials: what the client was given; None if it was given channel credentials of gRPC.
    """

    address: ServerAddress
    secure: bool = False
    credentials: Credentials | None = None


def unreachable(message: str, peer: Peer) -> SequelaError | None:
    """Returns the error for a connection that failed, or for an answer that did not arrive in time.

    It may open one more connection to find out whether the server uses TLS, which takes two seconds at most.

    Returns:
        None if the message is about something else.
    """
    # This is the message of gRPC itself. A server whose deadline is reached sends a longer one.
    if message == _LATE:
        return DeadlineExceeded(f"no answer from {peer.address.target} in time")
    if not _NOT_CONNECTED.match(message):
        return None
    # The first function that recognises the message counts, so the most specific ones come first.
    return next((error for recognise in _CAUSES if (error := recognise(message, peer))), None)


def _untrusted(message: str, peer: Peer) -> SequelaError | None:
    found = _UNTRUSTED.search(message)
    if found is None:
        return None
    where, why = peer.address.target, found["why"] or "not trusted"
    if "expired" in why or "not yet valid" in why:
        text = f"the certificate of {where} is not valid now ({why}); its operator must renew it, unless the clock of "
        text += "this machine is wrong"
        return CertificateExpired(text, reason="CERTIFICATE_EXPIRED")
    return CertificateNotTrusted(
        f"the certificate of {where} is from an authority that is not trusted here ({why}); if you trust it, name "
        "its PEM file: --ca FILE, or ca= in Python",
        reason="CERTIFICATE_NOT_TRUSTED",
    )


def _other_host(message: str, peer: Peer) -> SequelaError | None:
    if not _OTHER_HOST.search(message):
        return None
    where, host = peer.address.target, peer.address.host or peer.address.target
    return HostNameMismatch(
        f"the certificate of {where} is not for {host!r}; ask the server by a name that is in its certificate, or "
        "have its operator add this one",
        reason="CERTIFICATE_OF_OTHER_HOST",
    )


def _without_tls(message: str, peer: Peer) -> SequelaError | None:
    if not peer.secure or "WRONG_VERSION_NUMBER" not in message:
        return None
    return TlsNotOffered(
        f"{peer.address.target} does not use TLS; check the port, or leave out --secure, --ca, --cert and --key "
        "(secure=, ca=, certificate= and key= in Python) where plain text is allowed",
        reason="SERVER_WITHOUT_TLS",
    )


def _other_handshake(message: str, peer: Peer) -> SequelaError | None:
    if "handshake failed" not in message.lower():
        return None
    why = message.rpartition("OPENSSL_internal:")[2].partition(":")[0] or message
    text = f"the TLS handshake with {peer.address.target} failed: {why}"
    return TlsHandshakeFailed(text, reason="TLS_HANDSHAKE_FAILED")


def _http(message: str, peer: Peer) -> SequelaError | None:
    if "http1.x" not in message and "Expected SETTINGS frame" not in message:
        return None
    return CallerError(
        f"{peer.address.target} answers HTTP/1, not gRPC; use the server's --port (50051 by default), not its "
        "--http-port (9464)",
        reason="NOT_GRPC",
    )


def _closed(message: str, peer: Peer) -> SequelaError | None:
    """Returns the error about a server that closes the connection at once: it may require TLS, or a certificate."""
    if not _CLOSED.search(message) or not peer.address.host:
        return None
    # A gRPC server closes the connection in all of these cases without saying why.
    found = requirement(peer.address.host, peer.address.port, peer.credentials)
    if not peer.secure:
        return None if found is Requirement.NOTHING else _tls_required(peer)
    if found is not Requirement.CERTIFICATE:
        return None
    presented = peer.credentials.certificate if peer.credentials else None
    return _certificate_required(peer) if presented is None else _certificate_refused(peer, str(presented))


def _tls_required(peer: Peer) -> SequelaError:
    return TlsRequired(
        f"{peer.address.target} requires TLS; use --secure to trust the system's authorities, or --ca FILE to trust "
        "those in a PEM file (secure= or ca= in Python)",
        reason="SERVER_WANTS_TLS",
    )


def _certificate_required(peer: Peer) -> SequelaError:
    return ClientCertificateRequired(
        f"{peer.address.target} requires a client certificate from an authority in its --tls-client-ca; present one "
        "with --cert FILE and --key FILE (certificate= and key= in Python)",
        reason="CLIENT_CERTIFICATE_NEEDED",
    )


def _certificate_refused(peer: Peer, presented: str) -> SequelaError:
    return ClientCertificateRefused(
        f"{peer.address.target} refuses the client certificate {presented}; check that it has not expired (openssl "
        f"x509 -noout -dates -in {presented}) and that its authority is in the server's --tls-client-ca",
        reason="CLIENT_CERTIFICATE_REFUSED",
    )


def _nobody(_: str, peer: Peer) -> SequelaError:
    proxy = peer.address.proxy
    by = (
        f" ({proxy} is set, so gRPC uses that proxy for all hosts that no_proxy does not name)"
        if proxy
        else ""
    )
    text = f"no server answers at {peer.address.target}; is `sequela serve` running there?{by}"
    return Unavailable(text, reason="SERVER_NOT_REACHED")


_CAUSES: tuple[Callable[[str, Peer], SequelaError | None], ...] = (
    _untrusted,
    _other_host,
    _without_tls,
    _other_handshake,
    _http,
    _closed,
    _nobody,
)
