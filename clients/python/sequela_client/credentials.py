"""Credentials: which servers a client trusts, and how it identifies itself to them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from sequela_client.errors import CallerError
from sequela_client.server_address import ServerAddress

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a client makes its connection safe, and how it identifies itself. Without any of it, it uses plain text.

    Files are read again when they change: the token for every call, the PEM files by a new connection for the calls
    that follow. Calls that are under way keep theirs. It can be pickled; then the files are read where it is used.

    Args:
        secure: use TLS, and trust the authorities of the system.
        ca: use TLS, and trust the authorities in this PEM file.
        certificate: use TLS, and present the certificate in this PEM file to the server.
        key: the private key of that certificate, a PEM file without a password.
        token: a bearer token, which is sent with every call. It is pickled with this object, so Ray and Spark need
            `token_file`.
        token_file: a file with the token alone, instead of `token`.
        token_without_tls: send the token in plain text to other machines, too. That is safe only if something else
            encrypts the connection, such as the proxies of a service mesh.
    """

    secure: bool = False
    ca: PathLike | None = None
    certificate: PathLike | None = None
    key: PathLike | None = None
    # A token must not be in logs that print this object.
    token: str | None = field(default=None, repr=False)
    token_file: PathLike | None = None
    token_without_tls: bool = False

    def __post_init__(self) -> None:
        """Raises CallerError if arguments do not go together."""
        if (self.certificate is None) != (self.key is None):
            raise CallerError(
                "certificate and key must be given together, and only one of them is",
                reason="TLS_FILES_INCOMPLETE",
            )
        if self.token is not None and self.token_file is not None:
            raise CallerError(
                "token and token_file: only one of them can say what the token is", reason="ARGUMENT_INVALID"
            )

    @property
    def uses_tls(self) -> bool:
        """Whether the connection uses TLS."""
        return self.secure or any(each is not None for each in (self.ca, self.certificate, self.key))

    @property
    def has_token(self) -> bool:
        """Whether a token is sent."""
        return self.token is not None or self.token_file is not None

    def check_token_is_safe(self, server: ServerAddress) -> None:
        """Raises CallerError if a token would be sent in plain text to another machine."""
        safe = self.uses_tls or self.token_without_tls or server.is_local or server.target.startswith("unix:")
        if self.has_token and not safe:
            raise CallerError(
                f"{server.target} would get the token in plain text, where others can read it; use TLS with --secure "
                "or --ca FILE (secure= or ca= in Python), or --token-without-tls (token_without_tls=True) if a mesh "
                "encrypts the connection",
                reason="TOKEN_WITHOUT_TLS",
            )
