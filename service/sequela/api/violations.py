"""Collects all violations of a request, so that the caller gets them at once."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from sequela.contract.enums import EnumTable
from sequela.errors import InvalidInput, Violation

Member = TypeVar("Member", bound=Enum)

MAX_VIOLATIONS = 100
"""The largest number of violations to collect. It is more than a status can hold, and bounds hostile requests."""
SHOWN_LENGTH = 40
"""The largest number of characters of a value that are shown in a message."""


class Violations:
    """Violations in the order found; the first one gives the error its reason."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []
        self._reason = ""

    def add(self, field: str, reason: str, description: str) -> None:
        """Adds a violation of one field."""
        self._reason = self._reason or reason
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations.append(Violation(field, description))

    def raise_any(self) -> None:
        """Raises InvalidInput with all violations, if there are any."""
        if self._violations:
            text = "; ".join(f"{each.field}: {each.description}" for each in self._violations)
            raise InvalidInput(self._reason, text, violations=self._violations)

    def text(self, field: str, value: str, limit: int, setting: str = "--max-text") -> str:
        """Returns the value, and adds a violation if it is longer than the limit, which `setting` sets."""
        if len(value) > limit:
            source = f" ({setting})" if setting else ""
            self.add(field, "TEXT_TOO_LONG", f"{len(value)} characters exceed the limit of {limit}{source}")
        return value

    def name(self, field: str, value: str, fits: Callable[[str], bool], expected: str) -> str:
        """Returns the value, and adds a violation if it is not a valid name."""
        if not fits(value):
            self.add(field, "NAME_INVALID", f"{quote_value(value)} is not {expected}")
        return value

    @classmethod
    def check_name(cls, field: str, value: str, fits: Callable[[str], bool], expected: str) -> str:
        """Returns the value of a request that consists of a name. Raises InvalidInput if it is not a valid name."""
        violations = cls()
        violations.name(field, value, fits, expected)
        violations.raise_any()
        return value

    def within(self, field: str, value: int, lowest: int, highest: int) -> int:
        """Returns the value, and adds a violation if it is not in the range [lowest, highest]."""
        if not lowest <= value <= highest:
            self.add(field, "OPTION_OUT_OF_RANGE", f"must be from {lowest} to {highest}, not {value}")
        return value

    def member(self, field: str, number: int, table: EnumTable[Member]) -> Member | None:
        """Returns the enum member for a number. Returns None and adds a violation if the number is unknown."""
        if number not in table.members:
            known = ", ".join(f"{each} ({member.name})" for each, member in sorted(table.members.items()))
            self.add(field, "ENUM_UNKNOWN", f"{number} is not one of {known}")
        return table.members.get(number)

    def optional_member(self, field: str, number: int, table: EnumTable[Member]) -> Member | None:
        """Like `member`, but the number of `..._UNSPECIFIED` returns None without a violation."""
        return self.member(field, number, table) if number else None


def quote_value(value: str) -> str:
    """Formats a value for a message: quoted, and shortened to `SHOWN_LENGTH`."""
    return repr(shorten(value))


def shorten(text: str) -> str:
    """Formats text for a message without quotes, such as the digits of a number, shortened to `SHOWN_LENGTH`."""
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
