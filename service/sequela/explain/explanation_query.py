"""Which stored explanations to list, and which to delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sequela.explain.explanation_summary import ExplanationSummary
from sequela.names import names_model


@dataclass(frozen=True, slots=True)
class Filter:
    """Which explanations to list. Empty strings and None match any.

    Attributes:
        caller_id: The caller's own id.
        model: A model in any form of name, with or without a version.
        labels: Labels that the explanation must have, all of them.
        start: The earliest time at which the explanation was made.
        end: The time before which it was made.
        min_score: The smallest raw score of the first target.
        max_score: The largest raw score of the first target.
    """

    caller_id: str = ""
    model: str = ""
    labels: Mapping[str, str] | None = None
    start: datetime | None = None
    end: datetime | None = None
    min_score: float | None = None
    max_score: float | None = None

    def matches(self, item: ExplanationSummary) -> bool:
        """Returns whether an explanation passes the filter."""
        return (
            self.caller_id in ("", item.caller_id)
            and (not self.model or names_model(self.model, item.model))
            and all(item.labels.get(key) == value for key, value in (self.labels or {}).items())
            and (self.start is None or self.start <= item.create_time)
            and (self.end is None or item.create_time < self.end)
            and self._has_score(item)
        )

    def _has_score(self, item: ExplanationSummary) -> bool:
        if self.min_score is None and self.max_score is None:
            return True
        # Comparisons with NaN are False, so a score that is not a number matches no bound.
        return bool(item.targets) and all(
            (
                self.min_score is None or item.targets[0].raw_score >= self.min_score,
                self.max_score is None or item.targets[0].raw_score <= self.max_score,
            )
        )


@dataclass(frozen=True, slots=True)
class NameSelector:
    """Selects the explanation with this name."""

    name: str

    def matches(self, item: ExplanationSummary) -> bool:
        """Returns whether an explanation is selected."""
        return item.name == self.name


@dataclass(frozen=True, slots=True)
class CallerSelector:
    """Selects all explanations with this caller id, which is not empty."""

    caller_id: str

    def matches(self, item: ExplanationSummary) -> bool:
        """Returns whether an explanation is selected."""
        return item.caller_id == self.caller_id


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Selects all explanations with this label and value."""

    key: str
    value: str

    def matches(self, item: ExplanationSummary) -> bool:
        """Returns whether an explanation is selected."""
        return item.labels.get(self.key) == self.value


Selector: TypeAlias = NameSelector | CallerSelector | LabelSelector
"""Which explanations to delete."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The result of a deletion.

    Attributes:
        count: How many explanations it deleted so far.
        complete: Whether their bytes are gone as well. If not, they can no longer be found, and a thread is still
            removing the bytes.
    """

    count: int
    complete: bool
