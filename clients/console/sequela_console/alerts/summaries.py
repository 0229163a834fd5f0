"""Rows of the index as lines of the list."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sequela_client.alert_document.threshold import AlertThreshold, alert_threshold

from sequela_console.context import Console
from sequela_console.state.alerts import ReasonFeature
from sequela_console.state.labels import AlertLabel, decisions_of, note_counts


@dataclass(frozen=True, slots=True)
class DecisionSummary:
    """The decision that counts: the latest one."""

    id: int
    verdict: str
    who: str
    verified: bool
    when: datetime


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """A line of the list, see `AlertSummary` in types.ts."""

    id: str
    created: datetime
    happened: datetime | None
    caller_id: str
    labels: Mapping[str, str]
    model: str
    target: str
    target_label: str
    score: float
    base: float | None
    threshold: AlertThreshold
    alert: bool | None
    events: int
    reasons: tuple[ReasonFeature, ...]
    decision: DecisionSummary | None
    notes: int
    detailed: bool


def summaries(console: Console, rows: Sequence[sqlite3.Row]) -> tuple[AlertSummary, ...]:
    """Returns the lines of some rows, in their order."""
    ids = tuple(row["id"] for row in rows)
    decisions, notes = decisions_of(console.state, ids), note_counts(console.state, ids)
    return tuple(_summary(console, row, decisions.get(row["id"]), notes.get(row["id"], 0)) for row in rows)


def row_threshold(console: Console, row: sqlite3.Row) -> AlertThreshold:
    """Returns the threshold of a row of the index."""
    unit = bool(row["in_unit_interval"])
    return alert_threshold(json.loads(row["labels"]), row["model"], unit, console.settings.thresholds)


def _summary(console: Console, row: sqlite3.Row, decision: AlertLabel | None, notes: int) -> AlertSummary:
    labels: dict[str, str] = json.loads(row["labels"])
    threshold = row_threshold(console, row)
    return AlertSummary(
        id=row["id"],
        created=_time(row["created"]),
        happened=None if row["happened"] is None else _time(row["happened"]),
        caller_id=row["caller_id"],
        labels=labels,
        model=row["model"],
        target=row["target"],
        target_label=row["target_label"],
        score=row["score"],
        base=row["base"],
        threshold=threshold,
        alert=threshold.reached(row["score"]),
        events=row["events"],
        reasons=tuple(ReasonFeature(*each) for each in json.loads(row["reasons"])),
        decision=_decision(decision),
        notes=notes,
        detailed=bool(row["detailed"]),
    )


def _decision(label: AlertLabel | None) -> DecisionSummary | None:
    return DecisionSummary(label.id, label.verdict, label.who, label.verified, label.when) if label else None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
