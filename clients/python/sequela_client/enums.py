"""The contract's enums as the lower-case words that people write: LEVEL_EVENT is "event"."""

from __future__ import annotations

from functools import cache
from typing import Any

from sequela_client.errors import CallerError


@cache
def words(enum: Any) -> dict[str, int]:
    """Each member's word and number; UNSPECIFIED is not one of them."""
    names = dict(enum.items())
    unspecified = next(name for name, number in names.items() if number == 0)
    prefix = unspecified.removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for name, number in names.items() if number}


def word(enum: Any, number: int) -> str:
    """A member's word; empty for UNSPECIFIED, the number for one that this client does not know yet."""
    if number == 0:
        return ""
    return next((word for word, known in words(enum).items() if known == number), str(number))


def member(enum: Any, field: str, value: str) -> Any:
    """A word's member. Raises CallerError, naming the field, for a word that the enum lacks."""
    members = words(enum)
    if not isinstance(value, str) or value not in members:
        raise CallerError(f"{field}: {value!r} is none of {', '.join(members)}", reason="OPTION_INVALID")
    return members[value]
