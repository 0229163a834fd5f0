"""What Sequela shows to an endpoint, and by what it knows it: files that the operator named. Nothing of what they
hold is kept longer than a call or a connection, and nothing of it is ever shown.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpcore

MOST_TOKEN_BYTES = 16 << 10
_TOKEN = re.compile(r"[\x21-\x7e]+")


class UnusableCredentials(Exception):
    """A file that cannot be read or does not hold what it should; the message names it."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM bytes; None where there is none: then the roots that the library brings along."""

    authority: bytes | None
    certificate: bytes | None
    key: bytes | None

    def __repr__(self) -> str:
        return "Tls(…)"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files (PEM): the authority that the endpoint's certificate comes from, our certificate and its key (mTLS), and
    a bearer token. `plaintext_token`: the token may also be sent where no TLS is spoken.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: Path | None = None
    plaintext_token: bool = False

    def check(self, secure: bool) -> None:
        """Whether they go with a connection with or without TLS, and are what they should be.

        Raises UnusableCredentials.
        """
        if (self.certificate is None) is not (self.key is None):
            what = "certificate" if self.key is None else "key"
            raise UnusableCredentials(
                f"{what}: a certificate and its key go together, and the other is missing"
            )
        if not secure:
            self._check_plain()
        else:
            self.context()
        self.metadata()

    def tls(self) -> Tls:
        """What the files hold now. Raises UnusableCredentials."""
        files = (self.authority, self.certificate, self.key)
        return Tls(*(None if file is None else _content(file) for file in files))

    def context(self) -> ssl.SSLContext:
        """The same for Python's TLS. Raises UnusableCredentials."""
        context = self._trusting()
        if self.certificate and self.key:
            try:
                # A password that is never right: else one would be asked for on the terminal.
                context.load_cert_chain(self.certificate, self.key, password="")
            except (OSError, ValueError) as error:
                text = f"{self.certificate.name}, {self.key.name}: not a certificate with its unencrypted key: {error}"
                raise UnusableCredentials(text) from None
        return context

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with each call; the token's file is read anew, as it may have been changed.

        Raises UnusableCredentials.
        """
        if self.token is None:
            return ()
        token = _content(self.token).decode(errors="replace").strip()
        if not _TOKEN.fullmatch(token) or len(token) > MOST_TOKEN_BYTES:
            what = f"one line of 1 to {MOST_TOKEN_BYTES} printable characters"
            raise UnusableCredentials(f"{self.token.name}: does not hold a token ({what})")
        return (("authorization", f"Bearer {token}"),)

    def _check_plain(self) -> None:
        for file in (self.authority, self.certificate):
            if file is not None:
                raise UnusableCredentials(
                    f"{file.name}: a certificate is of no use without TLS (grpcs, https)"
                )
        if self.token and not self.plaintext_token:
            raise UnusableCredentials(
                f"{self.token.name}: a token is not sent without TLS (grpcs, https) unless plaintext_token says so"
            )

    def _trusting(self) -> ssl.SSLContext:
        if self.authority is None:
            return httpcore.default_ssl_context()
        try:
            return ssl.create_default_context(cafile=self.authority)
        except OSError as error:
            text = f"{self.authority.name}: not a bundle of certificates: {_reason(error)}"
            raise UnusableCredentials(text) from None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnusableCredentials(f"{file.name}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
