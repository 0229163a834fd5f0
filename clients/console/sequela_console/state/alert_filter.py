"""Which alerts a list shows, as SQL. Values are bound, never written into the query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sequela_console.state.alerts import searched

MIN_INNER_CHARACTERS = 3
"""Shorter searches only find texts that begin with them, since they occur within nearly every text."""

OPEN, DECIDED = "open", "decided"
DECISIONS = ("fraud", "false_positive", "undecided")
Clause = tuple[str, tuple[object, ...]]
# The columns of `alert`, of which a target has its own name, label, score, base value and reasons.
_OF_TARGET = """(
  SELECT alert.rowid AS rowid, id, created, happened, moment, caller_id, model, model_digest, name AS target,
         label AS target_label, alert_target.score AS score, alert_target.base AS base, in_unit_interval, events,
         labels, alert_target.reasons AS reasons, detailed, search, decision
  FROM alert JOIN alert_target ON alert_target.alert = id WHERE name = ?
)"""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """The conditions that alerts must meet. None and empty strings set no condition.

    Args:
        text: the beginning of an id, a caller id or the value of a label; from three characters on, any part of it.
        start: made at this time or later, in seconds since 1970.
        end: made before this time.
        min_score: the lowest raw score.
        max_score: the highest raw score.
        model: the name of the model.
        labels: ways to read one label as key and value, of which one must hold.
        decision: fraud, false_positive, undecided; `open` for those without a decision or undecided, `decided` for
            fraud and false_positive.
        feature: a feature that must be among the reasons.
        target: the name of the target whose scores and reasons count, and which alerts must have; the first if empty.
    """

    text: str = ""
    start: float | None = None
    end: float | None = None
    min_score: float | None = None
    max_score: float | None = None
    model: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    decision: str = ""
    feature: str = ""
    target: str = ""

    def source(self) -> Clause:
        """Returns the rows that the condition is about, and their values: with the scores of the chosen target."""
        return (_OF_TARGET, (self.target,)) if self.target else ("alert", ())

    def where(self) -> Clause:
        """Returns the condition and its values; `1` if everything is shown."""
        clauses = list(self._clauses())
        if not clauses:
            return "1", ()
        values = tuple(value for _, bound in clauses for value in bound)
        return " AND ".join(f"({condition})" for condition, _ in clauses), values

    def _clauses(self) -> Iterator[Clause]:
        for condition, value in (
            ("created >= ?", self.start),
            ("created < ?", self.end),
            ("score >= ?", self.min_score),
            ("score <= ?", self.max_score),
            ("model = ?", self.model or None),
        ):
            if value is not None:
                yield condition, (value,)
        if self.labels:
            pairs = " UNION ".join(
                ["SELECT alert FROM alert_label WHERE key = ? AND value = ?"] * len(self.labels)
            )
            yield f"id IN ({pairs})", tuple(part for pair in self.labels for part in pair)
        if self.feature and self.target:
            yield (
                "EXISTS (SELECT 1 FROM json_each(reasons) WHERE json_extract(value, '$[0]') = ?)",
                (self.feature,),
            )
        elif self.feature:
            yield "id IN (SELECT alert FROM alert_reason WHERE feature = ?)", (self.feature,)
        if self.decision:
            yield self._decision()
        if self.text:
            yield self._text()

    def _decision(self) -> Clause:
        if self.decision == OPEN:
            # Nearly all alerts are open, so an index on decisions would only keep SQLite from using the one that sorts.
            return "decision IS NOT 'fraud' AND decision IS NOT 'false_positive'", ()
        if self.decision == DECIDED:
            return "decision IN ('fraud', 'false_positive')", ()
        return "decision = ?", (self.decision,)

    def _text(self) -> Clause:
        text = searched(self.text)
        # Each text begins after a line break.
        return "instr(search, ?)", (text if len(text) >= MIN_INNER_CHARACTERS else f"\n{text}",)
