"""TLS on the client's side: whom it trusts, what it shows, and whether a server speaks it at all."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import grpc

from sequela_client.errors import CallerError

PathLike = str | os.PathLike[str]

_BUNDLE = "ca-certificates.crt"
"""The file with all authorities beside the folder of single ones, where a system has both."""
_GRPC_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_PROBE_SECONDS = 2.0


def channel_credentials(
    ca: PathLike | None, certificate: PathLike | None, key: PathLike | None
) -> grpc.ChannelCredentials:
    """Credentials from PEM files. Without `ca` the system's authorities are trusted.

    Raises CallerError for a file that cannot be read, that holds no PEM, or that lacks its counterpart.
    """
    if (certificate is None) != (key is None):
        raise CallerError("certificate and key go together: give both or none", reason="TLS_FILES_INCOMPLETE")
    roots = _pem(ca, "CERTIFICATE") if ca is not None else system_roots()
    if certificate is None or key is None:
        return grpc.ssl_channel_credentials(roots)
    return grpc.ssl_channel_credentials(roots, _pem(key, "PRIVATE KEY"), _pem(certificate, "CERTIFICATE"))


def system_roots() -> bytes | None:
    """The authorities that this machine trusts, by OpenSSL's paths and variables (SSL_CERT_FILE).

    None: gRPC takes its own list, because it was told so by its variable or no file is found. Its list knows public
    authorities alone, none of a company's own.
    """
    if os.environ.get(_GRPC_ROOTS):
        return None
    paths = ssl.get_default_verify_paths()
    files = [paths.cafile, paths.capath and os.path.join(paths.capath, _BUNDLE)]
    found = next((Path(each) for each in files if each and Path(each).is_file()), None)
    return found.read_bytes() if found else None


def wants_tls(host: str, port: int) -> str:
    """Asks a server once: "tls" where it speaks it, "certificate" where it wants one of the client's, else empty.

    Nothing is sent but the handshake, and the server's certificate is not judged.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
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
    """A server that wants a certificate hangs up only now; any other greets, or waits."""
    try:
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
        text = f"TLS file {path}: holds no PEM block '{kind}'; convert it with openssl (-outform PEM)"
        raise CallerError(text, reason="TLS_FILE_INVALID")
    return content
