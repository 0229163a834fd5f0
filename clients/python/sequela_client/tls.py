"""TLS: which authorities to trust, which certificate to present, and whether a server uses TLS at all."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import grpc

from sequela_client.errors import CallerError

PathLike = str | os.PathLike[str]

# The file with all authorities, on systems that also have a folder with a file for each.
_BUNDLE = "ca-certificates.crt"
_GRPC_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_PROBE_SECONDS = 2.0


def channel_credentials(
    ca: PathLike | None, certificate: PathLike | None, key: PathLike | None
) -> grpc.ChannelCredentials:
    """Makes channel credentials from PEM files.

    Args:
        ca: the authorities to trust. None stands for those of the system.
        certificate: the client's certificate.
        key: its key.

    Raises:
        CallerError: if a file cannot be read or has no PEM block, or if only one of certificate and key is given.
    """
    if (certificate is None) != (key is None):
        raise CallerError(
            "certificate and key must be given together, and only one of them is",
            reason="TLS_FILES_INCOMPLETE",
        )
    roots = _pem(ca, "CERTIFICATE") if ca is not None else system_roots()
    if certificate is None or key is None:
        return grpc.ssl_channel_credentials(roots)
    return grpc.ssl_channel_credentials(roots, _pem(key, "PRIVATE KEY"), _pem(certificate, "CERTIFICATE"))


def system_roots() -> bytes | None:
    """Returns the authorities that this machine trusts, by OpenSSL's paths and variables (SSL_CERT_FILE).

    Returns:
        None if gRPC should use its own list, because its environment variable is set or no file is found. That list
        has public authorities only, not those of a company.
    """
    if os.environ.get(_GRPC_ROOTS):
        return None
    paths = ssl.get_default_verify_paths()
    files = [paths.cafile, paths.capath and os.path.join(paths.capath, _BUNDLE)]
    found = next((Path(each) for each in files if each and Path(each).is_file()), None)
    return found.read_bytes() if found else None


def wants_tls(host: str, port: int) -> str:
    """Finds out whether a server uses TLS. Only a handshake is sent, and the server's certificate is not checked.

    Returns:
        "tls", "certificate" if the server also requires a certificate of the client, or an empty text.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The question is whether the server uses TLS, not whether it is to be trusted.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # gRPC servers refuse a handshake that does not offer HTTP/2.
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((host, port), _PROBE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            return _after_handshake(secured)
    except ssl.SSLError as error:
        return "certificate" if _misses_certificate(error) else ""
    except OSError:
        return ""


def _after_handshake(secured: ssl.SSLSocket) -> str:
    """Returns "certificate" if the server closes the connection now, because it requires one; otherwise "tls"."""
    try:
        # In TLS 1.3 the handshake ends before the server has checked the client's certificate.
        return "tls" if secured.recv(1) else "certificate"
    except TimeoutError:
        return "tls"
    except OSError as error:
        return "certificate" if isinstance(error, ConnectionError) or _misses_certificate(error) else "tls"


def _misses_certificate(error: OSError) -> bool:
    reason = getattr(error, "reason", None) or ""
    return "CERTIFICATE" in reason or "HANDSHAKE_FAILURE" in reason


def _pem(path: PathLike, kind: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CallerError(f"TLS file {path}: {error.strerror}", reason="FILE_NOT_READABLE") from error
    if f"{kind}-----".encode() not in content:
        text = f"TLS file {path}: has no PEM block '{kind}'; convert it with openssl (-outform PEM)"
        raise CallerError(text, reason="TLS_FILE_INVALID")
    return content
