"""TLS: which authorities to trust, and which certificate to present. The files are read again when they change."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import NoReturn

import grpc

from sequela_client.credentials import Credentials, PathLike
from sequela_client.errors import CallerError

# The file with all authorities, on systems that also have a folder with a file for each.
_BUNDLE = "ca-certificates.crt"
_GRPC_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
# Certificate and key are replaced one after the other, so both are read again if one has changed meanwhile.
_READS = 3

FileVersions = tuple[tuple[int, int, int] | None, ...]


class PemFiles:
    """The PEM files of credentials that use TLS.

    Args:
        credentials: which files.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._ca = credentials.ca if credentials.ca is not None else system_roots()
        self._certificate, self._key = credentials.certificate, credentials.key

    def versions(self) -> FileVersions:
        """What changes whenever a file is written or replaced."""
        return tuple(_version(path) for path in (self._ca, self._certificate, self._key) if path is not None)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Reads the files.

        Raises:
            CallerError: a file cannot be read or has no PEM block, or the key is not that of the certificate.
        """
        for _ in range(_READS):
            before = self.versions()
            found = self._read()
            if self.versions() == before:
                break
        return found

    def _read(self) -> grpc.ChannelCredentials:
        roots = _pem(self._ca, "CERTIFICATE") if self._ca is not None else None
        if self._certificate is None or self._key is None:
            return grpc.ssl_channel_credentials(roots)
        certificate, key = _pem(self._certificate, "CERTIFICATE"), _pem(self._key, "PRIVATE KEY")
        check_pair(self._certificate, self._key)
        return grpc.ssl_channel_credentials(roots, key, certificate)


def system_roots() -> Path | None:
    """Returns the authorities that this machine trusts, by OpenSSL's paths and variables (SSL_CERT_FILE).

    Returns:
        None if gRPC should use its own list, because its environment variable is set or no file is found. That list
        has public authorities only, not those of a company.
    """
    if os.environ.get(_GRPC_ROOTS):
        return None
    paths = ssl.get_default_verify_paths()
    files = [paths.cafile, paths.capath and os.path.join(paths.capath, _BUNDLE)]
    return next((Path(each) for each in files if each and Path(each).is_file()), None)


def check_pair(certificate: PathLike, key: PathLike) -> None:
    """Raises CallerError if a key is not that of the certificate, or cannot be used. gRPC itself only logs that."""

    def no_password() -> NoReturn:
        raise CallerError(
            f"TLS file {key}: the key has a password; remove it with openssl pkey -in {key} -out FILE",
            reason="TLS_KEY_ENCRYPTED",
        )

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, no_password)
    except ssl.SSLError as error:
        differ = "MISMATCH" in (error.reason or "")
        problem = "is not the key of the certificate" if differ else "cannot be read with the certificate"
        raise CallerError(
            f"TLS file {key}: {problem} {certificate}; give the two files that were made together",
            reason="TLS_FILES_DIFFER" if differ else "TLS_FILE_INVALID",
        ) from None
    except OSError as error:
        raise CallerError(
            f"TLS file {certificate} or {key}: {error.strerror}", reason="FILE_NOT_READABLE"
        ) from error


def _version(path: PathLike) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _pem(path: PathLike, kind: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CallerError(f"TLS file {path}: {error.strerror}", reason="FILE_NOT_READABLE") from error
    if f"{kind}-----".encode() not in content:
        text = f"TLS file {path}: has no PEM block '{kind}'; convert it with openssl (-outform PEM)"
        raise CallerError(text, reason="TLS_FILE_INVALID")
    return content
