"""Page tokens: where the next page of a list starts, in a form that callers hand back and do not read."""

from __future__ import annotations

import base64
import binascii
import hashlib

from sequela.errors import InvalidInput

_CHECK_BYTES = 8


def page_token(scope: str, position: str) -> str:
    """The token of a position in the list that `scope` names (its name and its filter)."""
    return base64.urlsafe_b64encode(_check(scope, position) + position.encode()).decode().rstrip("=")


def page_position(scope: str, token: str) -> str:
    """The position of a token; empty for an empty one, the start of the list.

    Raises InvalidInput for a token that was not given out for this very list.
    """
    if not token:
        return ""
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        position = data[_CHECK_BYTES:].decode()
    except (binascii.Error, ValueError) as error:
        raise _refused() from error
    if data[:_CHECK_BYTES] != _check(scope, position):
        raise _refused()
    return position


def _check(scope: str, position: str) -> bytes:
    # Against mistakes, not enemies: who computes it gets a page of a list that they may read anyway.
    return hashlib.sha256(repr((scope, position)).encode()).digest()[:_CHECK_BYTES]


def _refused() -> InvalidInput:
    return InvalidInput.at("page_token", "PAGE_TOKEN_INVALID", "not a token that this list gave out")
