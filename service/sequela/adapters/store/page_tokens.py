"""Page tokens, which encode where the next page of a list starts. They are opaque to callers."""

from __future__ import annotations

import base64
import binascii
import hashlib

from sequela.errors import InvalidInput

_CHECKSUM_BYTES = 8


def page_token(scope: str, position: str) -> str:
    """Returns a token for a position in a list. `scope` identifies the list: its name and its filter."""
    return (
        base64.urlsafe_b64encode(_checksum(scope, position) + position.encode(errors="surrogateescape"))
        .decode()
        .rstrip("=")
    )


def page_position(scope: str, token: str) -> str:
    """Returns the position that a token holds. An empty token means the start of the list, an empty position.

    Raises:
        InvalidInput: PAGE_TOKEN_INVALID. The token was not made for this list and this filter.
    """
    if not token:
        return ""
    try:
        # Tokens have no padding, but `b64decode` needs it.
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        position = data[_CHECKSUM_BYTES:].decode(errors="surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error
    if data[:_CHECKSUM_BYTES] != _checksum(scope, position):
        raise _invalid()
    return position


def foreign_position() -> InvalidInput:
    """Returns the error for a position that is none of this kind of store."""
    text = "is of another store; omit it to get the first page"
    return InvalidInput.at("page_token", "PAGE_TOKEN_INVALID", text)


def _checksum(scope: str, position: str) -> bytes:
    # The check detects mistakes, not attacks: a forged token only returns a page of a list that the caller may read.
    return hashlib.sha256(repr((scope, position)).encode()).digest()[:_CHECKSUM_BYTES]


def _invalid() -> InvalidInput:
    text = "is not a next_page_token of this list with this filter; omit it to get the first page"
    return InvalidInput.at("page_token", "PAGE_TOKEN_INVALID", text)
