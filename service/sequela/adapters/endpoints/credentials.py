"""Credentials for an endpoint, read from files that the operator names.

Their content is not kept longer than a call or a connection, and never appears in a message.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpcore

MAX_TOKEN_BYTES = 16 << 10
_TOKEN = re.compile(r"[\x21-\x7e]+")


class UnusableCredentials(Exception):
    """A credentials file cannot be read or has the wrong content. The message names the file."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The content of PEM files; None for a missing one. Without an authority, the library's own roots are trusted."""

    authority: bytes | None
    certificate: bytes | None
    key: bytes | None

    # The default would show the private key in logs and tracebacks.
    def __repr__(self) -> str:
        return "Tls(…)"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files with credentials, or None for a missing one.

    Attributes:
        authority: PEM file with the authorities that may issue the endpoint's certificate.
        certificate: PEM file with our certificate (mTLS).
        key: PEM file with its key, unencrypted.
        token: File with a bearer token.
        plaintext_token: Whether the token may also be sent without TLS.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: Path | None = None
    plaintext_token: bool = False

    def check(self, secure: bool) -> None:
        """Checks the files. Raises UnusableCredentials if one cannot be used with TLS (`secure`) or without it."""
        if (self.certificate is None) is not (self.key is None):
            what = "certificate" if self.key is None else "key"
            raise UnusableCredentials(
                f"{what}: a certificate and its key must be set together, and the other one is missing"
            )
        if not secure:
            self._check_plain()
        else:
            self.context()
        # This reads the token, so that a missing file is noticed at once.
        self.metadata()

    def tls(self) -> Tls:
        """Reads the PEM files. Raises UnusableCredentials."""
        files = (self.authority, self.certificate, self.key)
        return Tls(*(None if file is None else _content(file) for file in files))

    def context(self) -> ssl.SSLContext:
        """Makes a context for Python's TLS. Raises UnusableCredentials."""
        context = self._default_context()
        if self.certificate and self.key:
            try:
                # Without a password OpenSSL would ask for one on the terminal; an encrypted key is an error.
                context.load_cert_chain(self.certificate, self.key, password="")
            except (OSError, ValueError) as error:
                text = f"{self.certificate.name}, {self.key.name}: not a certificate with its unencrypted key: {error}"
                raise UnusableCredentials(text) from None
        return context

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns the headers of a call. Reads the token again each time, since its file may change.

        Raises UnusableCredentials.
        """
        if self.token is None:
            return ()
        # Files with secrets often end with a line break.
        token = _content(self.token).decode(errors="replace").strip()
        if not _TOKEN.fullmatch(token) or len(token) > MAX_TOKEN_BYTES:
            allowed = f"one line of 1 to {MAX_TOKEN_BYTES} printable ASCII characters"
            raise UnusableCredentials(f"{self.token.name}: does not hold a token, which is {allowed}")
        return (("authorization", f"Bearer {token}"),)

    def _check_plain(self) -> None:
        for file in (self.authority, self.certificate):
            if file is not None:
                raise UnusableCredentials(
                    f"{file.name}: a certificate is not used without TLS; use the scheme grpcs or https"
                )
        if self.token and not self.plaintext_token:
            raise UnusableCredentials(
                f"{self.token.name}: a token is not sent without TLS; use the scheme grpcs or https, or set "
                "plaintext_token = true"
            )

    def _default_context(self) -> ssl.SSLContext:
        if self.authority is None:
            return httpcore.default_ssl_context()
        try:
            return ssl.create_default_context(cafile=self.authority)
        except OSError as error:
            text = f"{self.authority.name}: not a PEM file with certificates: {_reason(error)}"
            raise UnusableCredentials(text) from None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnusableCredentials(f"{file.name}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
