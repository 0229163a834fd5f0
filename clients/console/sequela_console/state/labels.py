"""The labels that people give alerts. The latest decision counts, and decisions stay when their alert is removed."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sequela_console.state.alert_filter import DECISIONS
from sequela_console.state.database import StateDatabase

# The columns that a decision copies from its alert, since it stays when the alert is removed.
_COPIED = "caller_id, model, model_digest, target, score, created"
VERDICTS = (*DECISIONS, "reason_wrong", "note")


@dataclass(frozen=True, slots=True)
class AlertLabel:
    """A decision, or a remark, about an alert; see `AlertLabel` in types.ts."""

    id: int
    verdict: str
    note: str
    reason: Mapping[str, Any] | None
    who: str
    verified: bool
    when: datetime


@dataclass(frozen=True, slots=True)
class NewLabel:
    """A label that somebody gives.

    Args:
        verdict: one of `VERDICTS`.
        note: a text; may be empty for a decision.
        reason: for `reason_wrong` the reason that is wrong.
        who: who gives it.
        verified: whether the service says that this is who it is.
        threshold: the threshold of the alert at this time; None if there is none.
    """

    verdict: str
    note: str
    reason: Mapping[str, Any] | None
    who: str
    verified: bool
    threshold: float | None

    @property
    def decides(self) -> bool:
        """Whether it is a decision, not a remark."""
        return self.verdict in DECISIONS


class DecidedMeanwhile(Exception):
    """Somebody else has decided since this person looked.

    Args:
        latest: the decision that counts; None if there is none.
    """

    def __init__(self, latest: AlertLabel | None) -> None:
        super().__init__("decided meanwhile")
        self.latest = latest


class AlertGone(Exception):
    """The alert has been removed from the index meanwhile, so it cannot be labelled any more."""


def labels_of(state: StateDatabase, alert: str) -> tuple[AlertLabel, ...]:
    """Returns the labels of an alert, the oldest first."""
    query = "SELECT * FROM verdict WHERE alert = ? ORDER BY id"
    return tuple(map(_label, state.read.execute(query, (alert,))))


def latest_decision(state: StateDatabase, alert: str) -> AlertLabel | None:
    """Returns the decision that counts; None if there is none."""
    return _latest(state.read, alert)


def add_label(state: StateDatabase, alert: str, label: NewLabel, previous: int | None) -> AlertLabel:
    """Adds a label.

    Args:
        state: the database.
        alert: the id of the alert.
        label: the label.
        previous: the id of the latest decision that the person saw; None if there was none. Only decisions need it.

    Raises:
        AlertGone: the index does not have the alert.
        DecidedMeanwhile: `previous` is not the latest decision, so the person has not seen it.
    """
    with state.write() as database:
        if not database.execute("SELECT 1 FROM alert WHERE id = ?", (alert,)).fetchone():
            raise AlertGone
        if label.decides:
            latest = _latest(database, alert)
            if (latest.id if latest else None) != previous:
                raise DecidedMeanwhile(latest)
            database.execute("UPDATE alert SET decision = ? WHERE id = ?", (label.verdict, alert))
        added = database.execute(
            f"INSERT INTO verdict (alert, verdict, note, reason, who, verified, at, threshold, {_COPIED}) "  # noqa: S608
            f"SELECT id, ?, ?, ?, ?, ?, ?, ?, {_COPIED} FROM alert WHERE id = ?",
            (
                *(label.verdict, label.note, json.dumps(label.reason), label.who, label.verified),
                *(time.time(), label.threshold, alert),
            ),
        )
        row = database.execute("SELECT * FROM verdict WHERE id = ?", (added.lastrowid,)).fetchone()
    return _label(row)


def all_labels(state: StateDatabase, target: str = "") -> Iterator[sqlite3.Row]:
    """Returns every label, also of alerts that have left, the oldest first.

    `latest` says whether it is the decision that counts.

    Args:
        state: the database.
        target: the name of the target whose scores the labels have, and which their alerts must have; the first one
            of each alert if it is empty. Of alerts that have left only the first one is known.
    """
    decisions = ", ".join(f"'{each}'" for each in DECISIONS)
    query = f"""
        SELECT verdict.*,
               CASE WHEN ?1 = '' THEN target ELSE ?1 END AS shown_target,
               coalesce((SELECT t.score FROM alert_target AS t WHERE t.alert = verdict.alert AND t.name = ?1),
                        verdict.score) AS shown_score,
               verdict.id = (SELECT MAX(other.id) FROM verdict AS other
                             WHERE other.alert = verdict.alert AND other.verdict IN ({decisions})) AS latest
        FROM verdict WHERE ?1 = '' OR target = ?1
                           OR EXISTS (SELECT 1 FROM alert_target AS t WHERE t.alert = verdict.alert AND t.name = ?1)
        ORDER BY verdict.id
    """  # noqa: S608 our own words
    return iter(state.read.execute(query, (target,)))


def note_counts(state: StateDatabase, alerts: tuple[str, ...]) -> dict[str, int]:
    """Returns how many remarks each of some alerts has, if any."""
    query = f"""
        SELECT alert, COUNT(*) FROM verdict
        WHERE alert IN ({", ".join("?" * len(alerts))}) AND (verdict IN ('note', 'reason_wrong') OR note <> '')
        GROUP BY alert
    """  # noqa: S608 values are bound
    return {row[0]: row[1] for row in state.read.execute(query, alerts)}


def decisions_of(state: StateDatabase, alerts: tuple[str, ...]) -> dict[str, AlertLabel]:
    """Returns the decisions that count of some alerts, by alert."""
    query = f"""
        SELECT * FROM verdict WHERE id IN (
          SELECT MAX(id) FROM verdict
          WHERE alert IN ({", ".join("?" * len(alerts))}) AND verdict IN ('fraud', 'false_positive', 'undecided')
          GROUP BY alert)
    """  # noqa: S608 values are bound
    return {row["alert"]: _label(row) for row in state.read.execute(query, alerts)}


def _latest(database: sqlite3.Connection, alert: str) -> AlertLabel | None:
    row = database.execute(
        "SELECT * FROM verdict WHERE alert = ? AND verdict IN ('fraud', 'false_positive', 'undecided') "
        "ORDER BY id DESC LIMIT 1",
        (alert,),
    ).fetchone()
    return _label(row) if row else None


def _label(row: sqlite3.Row) -> AlertLabel:
    return AlertLabel(
        row["id"],
        row["verdict"],
        row["note"],
        json.loads(row["reason"]),
        row["who"],
        bool(row["verified"]),
        datetime.fromtimestamp(row["at"], UTC),
    )
