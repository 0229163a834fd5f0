"""Translates the members of the contract's enums to the words that people write: LEVEL_EVENT is "event"."""

from __future__ import annotations

from functools import cache
from typing import Any

from sequela_client.errors import CallerError


@cache
def words(enum: Any) -> dict[str, int]:
    """Returns the numbers of an enum by word, without UNSPECIFIED."""
    names = dict(enum.items())
    # The names of all members begin with the name of the enum, as in LEVEL_UNSPECIFIED.
    unspecified = next(name for name, number in names.items() if number == 0)
    prefix = unspecified.removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for name, number in names.items() if number}


def word(enum: Any, number: int) -> str:
    """Returns the word of a number; empty for UNSPECIFIED, and the number itself if this client does not know it."""
    if number == 0:
        return ""
    return next((word for word, known in words(enum).items() if known == number), str(number))


def member(enum: Any, field: str, value: str) -> Any:
    """Returns the number of a word. Raises CallerError (OPTION_INVALID) if it is not one of the enum's."""
    members = words(enum)
    if not isinstance(value, str) or value not in members:
        text = f"{field}: must be one of {', '.join(members)}, not {value!r}"
        raise CallerError(text, reason="OPTION_INVALID")
    return members[value]
