"""Collects what is wrong with a message, so that the caller hears all of it at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from sequela.errors import InvalidInput, Violation

Chosen = TypeVar("Chosen")

# More than a status can carry anyway; a bound for hostile requests.
MAX_FINDINGS = 100
SHOWN = 40


class Violations:
    """Violations in the order found; the first one gives the error its reason."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []
        self._reason = ""

    def add(self, field: str, reason: str, description: str) -> None:
        """Notes one thing wrong with one field."""
        self._reason = self._reason or reason
        if len(self._violations) < MAX_FINDINGS:
            self._violations.append(Violation(field, description))

    def raise_any(self) -> None:
        """Raises InvalidInput with all that was noted; does nothing where that is nothing."""
        if self._violations:
            text = "; ".join(f"{each.field}: {each.description}" for each in self._violations)
            raise InvalidInput(self._reason, text, violations=self._violations)

    def text(self, field: str, value: str, limit: int) -> str:
        """The value; notes it where it is too long."""
        if len(value) > limit:
            self.add(field, "TEXT_TOO_LONG", f"{len(value)} characters, the limit is {limit}")
        return value

    def name(self, field: str, value: str, fits: Callable[[str], bool], expected: str) -> str:
        """The value; notes it where it is not such a name."""
        if not fits(value):
            self.add(field, "NAME_INVALID", f"{shown(value)} is not {expected}")
        return value

    def at_least_zero(self, field: str, value: float) -> float:
        """The value; notes it where it is negative or not finite."""
        if not math.isfinite(value) or value < 0:
            self.add(field, "OPTION_OUT_OF_RANGE", f"{value}, must be a finite number of at least 0")
        return value

    def finite(self, field: str, value: float) -> float:
        """The value; notes it where it is NaN or infinite."""
        if not math.isfinite(value):
            self.add(field, "OPTION_OUT_OF_RANGE", f"{value}, must be finite")
        return value

    def within(self, field: str, value: int, lowest: int, highest: int) -> int:
        """The value; notes it where it is outside [lowest, highest]."""
        if not lowest <= value <= highest:
            self.add(field, "OPTION_OUT_OF_RANGE", f"{value}, must be from {lowest} to {highest}")
        return value

    def choice(self, field: str, value: int, choices: Mapping[int, Chosen], default: Chosen) -> Chosen:
        """What an enum's number stands for; notes a number that this version does not know."""
        if value not in choices:
            self.add(field, "ENUM_UNKNOWN", f"{value} is not one of {', '.join(map(str, sorted(choices)))}")
        return choices.get(value, default)


def shown(value: str) -> str:
    """A value as an error message shows it: quoted, and short."""
    return repr(value if len(value) <= SHOWN else value[: SHOWN - 1] + "…")
