"""Collects everything that is wrong with a request, so that the caller is told all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from sequela.api.enums import EnumTable
from sequela.errors import InvalidInput, Violation

Member = TypeVar("Member", bound=Enum)

MAX_VIOLATIONS = 100
"""More than a status carries; a bound for hostile requests."""
SHOWN_LENGTH = 40
"""The largest number of characters that a message shows of a value."""


class Violations:
    """Violations in the order found; the first one gives the error its reason."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []
        self._reason = ""

    def add(self, field: str, reason: str, description: str) -> None:
        """Notes one thing that is wrong with one field."""
        self._reason = self._reason or reason
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations.append(Violation(field, description))

    def raise_any(self) -> None:
        """Raises InvalidInput with everything that was noted; does nothing where that is nothing."""
        if self._violations:
            text = "; ".join(f"{each.field}: {each.description}" for each in self._violations)
            raise InvalidInput(self._reason, text, violations=self._violations)

    def text(self, field: str, value: str, limit: int) -> str:
        """The value. Notes it where it is too long."""
        if len(value) > limit:
            self.add(field, "TEXT_TOO_LONG", f"{len(value)} characters, the limit is {limit}")
        return value

    def name(self, field: str, value: str, fits: Callable[[str], bool], expected: str) -> str:
        """The value. Notes it where it is not such a name."""
        if not fits(value):
            self.add(field, "NAME_INVALID", f"{shown(value)} is not {expected}")
        return value

    @classmethod
    def checked_name(cls, field: str, value: str, fits: Callable[[str], bool], expected: str) -> str:
        """The value of a request that is nothing but a name. Raises InvalidInput where it is not such a name."""
        violations = cls()
        violations.name(field, value, fits, expected)
        violations.raise_any()
        return value

    def within(self, field: str, value: int, lowest: int, highest: int) -> int:
        """The value. Notes it where it is outside [lowest, highest]."""
        if not lowest <= value <= highest:
            self.add(field, "OPTION_OUT_OF_RANGE", f"{value}, must be from {lowest} to {highest}")
        return value

    def member(self, field: str, number: int, table: EnumTable[Member]) -> Member | None:
        """The member of an enum that a number stands for; None after noting a number that is not known."""
        if number not in table.members:
            known = ", ".join(f"{each} ({member.name})" for each, member in sorted(table.members.items()))
            self.add(field, "ENUM_UNKNOWN", f"{number} is not one of {known}")
        return table.members.get(number)

    def optional_member(self, field: str, number: int, table: EnumTable[Member]) -> Member | None:
        """As `member`; the number of `..._UNSPECIFIED` is None too, and not noted."""
        return self.member(field, number, table) if number else None


def shown(value: str) -> str:
    """A string as messages show it: quoted, and cut to `SHOWN_LENGTH`."""
    return repr(shown_text(value))


def shown_text(text: str) -> str:
    """Text as messages show it without quotes, such as the digits of a number: cut to `SHOWN_LENGTH`."""
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
