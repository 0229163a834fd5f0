"""The bearer token that is sent with every call."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from sequela_client.credentials import Credentials, PathLike
from sequela_client.errors import CallerError

Metadata = tuple[tuple[str, str], ...]

# gRPC refuses larger headers by default.
MAX_TOKEN_LENGTH = 8_000
_TOKEN = re.compile(r"[\x21-\x7e]+")


class BearerToken:
    """The metadata with the token of credentials. A file is read again for every call.

    No message has the token, or a part of it.

    Args:
        credentials: what the client was given.

    Raises:
        CallerError: the token or its file is not usable.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._file = credentials.token_file
        self._token = _checked(credentials.token, "token") if credentials.token is not None else ""
        if self._file is not None:
            self._token = _read(self._file)

    def metadata(self) -> Metadata:
        """The metadata of a call; empty if there is no token."""
        if self._file is not None:
            # The file may be in the middle of a rotation, and the last token may still be valid. If it is not, the
            # server says so.
            with suppress(CallerError):
                self._token = _read(self._file)
        return (("authorization", f"Bearer {self._token}"),) if self._token else ()


def _read(path: PathLike) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_TOKEN_LENGTH + 64)
    except OSError as error:
        text = f"token file {path}: {error.strerror}"
        raise CallerError(text, reason="FILE_NOT_READABLE") from error
    return _checked(content.decode("ascii", "replace").strip(), f"token file {path}")


def _checked(token: str, where: str) -> str:
    if isinstance(token, str) and len(token) <= MAX_TOKEN_LENGTH and _TOKEN.fullmatch(token):
        return token
    raise CallerError(
        f"{where}: must be one token of 1 to {MAX_TOKEN_LENGTH} printable ASCII characters without spaces, and nothing "
        "else",
        reason="TOKEN_UNUSABLE",
    )
