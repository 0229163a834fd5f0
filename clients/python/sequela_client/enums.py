"""The contract's enums as the words that people write: LEVEL_EVENT is "event"."""

from __future__ import annotations

from functools import cache
from typing import Any

from sequela_client.errors import CallerError


@cache
def words(enum: Any) -> dict[str, int]:
    """The number of each word, without UNSPECIFIED."""
    names = dict(enum.items())
    # The names of all members begin with the name of the enum, as in LEVEL_UNSPECIFIED.
    unspecified = next(name for name, number in names.items() if number == 0)
    prefix = unspecified.removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for name, number in names.items() if number}


def word(enum: Any, number: int) -> str:
    """The word of a number; empty for UNSPECIFIED, and the number itself if this client does not know it."""
    if number == 0:
        return ""
    return next((word for word, known in words(enum).items() if known == number), str(number))


def member(enum: Any, field: str, value: str) -> Any:
    """The number of a word. Raises CallerError (OPTION_INVALID) if it is not one of the enum's."""
    members = words(enum)
    if not isinstance(value, str) or value not in members:
        raise CallerError(f"{field}: {value!r} is none of {', '.join(members)}", reason="OPTION_INVALID")
    return members[value]
