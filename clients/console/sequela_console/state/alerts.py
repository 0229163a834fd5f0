"""The rows of the index: one for each stored explanation that the console knows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sequela_console.state.database import StateDatabase

_COLUMNS = (
    "id, created, happened, moment, caller_id, model, model_digest, target, target_label, score, base, "
    "in_unit_interval, events, labels, reasons, detailed, search"
)
_PLACES = ", ".join("?" * len(_COLUMNS.split(",")))


@dataclass(frozen=True, slots=True)
class ReasonFeature:
    """A feature among the reasons for a score, with the sum of the effects that name it."""

    feature: str
    label: str
    value: float


@dataclass(frozen=True, slots=True)
class AlertTarget:
    """A target of an explanation.

    Args:
        name: its name.
        label: what people call it.
        score: its score, before the link.
        base: its base value, before the link; None if it was not computed.
        reasons: the features among its reasons, the strongest first; empty until they have been read.
    """

    name: str
    label: str
    score: float
    base: float | None
    reasons: tuple[ReasonFeature, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertRow:
    """The data of a stored explanation in the list.

    Args:
        id: the last part of its name.
        created: when it was made, in seconds since 1970.
        caller_id: the caller's id.
        labels: the caller's labels.
        model: the name of its model.
        model_digest: the digest of its model.
        target: the name of its first target.
        target_label: what people call the target.
        score: the score of the first target, before the link.
        base: its base value, before the link; None if it was not computed.
        in_unit_interval: whether the output lies in [0, 1].
        events: how many events the sequence has.
        happened: when the explained event happened; None if the caller did not say, or it has not been read yet.
        reasons: the features among the reasons, the strongest first.
        detailed: whether `happened`, `reasons` and effects have been read.
        targets: all targets, the first one too.
    """

    id: str
    created: float
    caller_id: str
    labels: Mapping[str, str]
    model: str
    model_digest: str
    target: str
    target_label: str
    score: float
    base: float | None
    in_unit_interval: bool
    events: int
    happened: float | None = None
    reasons: tuple[ReasonFeature, ...] = ()
    detailed: bool = False
    targets: tuple[AlertTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertEffect:
    """The effects on one target as a vector that can be compared with others of the same space.

    Args:
        space: says what the numbers are of: the same model, background, target, link and features.
        vector: float32 numbers.
        content: the same for explanations of the same content.
    """

    space: str
    vector: bytes
    content: str


@dataclass(frozen=True, slots=True)
class UndetailedAlert:
    """An explanation that has only been read from a list."""

    id: str
    created: float
    model_digest: str


@dataclass(frozen=True, slots=True)
class AlertDetails:
    """The data that only the whole explanation has.

    Args:
        row: the row of the list.
        effects: the vectors of its targets.
        cells: the values of its events as float32 (events, features); None if they are not known or not needed.
    """

    row: AlertRow
    effects: tuple[AlertEffect, ...] = ()
    cells: bytes | None = field(default=None, repr=False)


def add_alerts(state: StateDatabase, rows: Iterable[AlertRow]) -> None:
    """Adds explanations that are not known yet."""
    with state.write() as database:
        for row in rows:
            _add(database, row)


def add_details(state: StateDatabase, details: Iterable[AlertDetails]) -> None:
    """Adds the data of whole explanations. Rows that have been removed from the index meanwhile are left out."""
    with state.write() as database:
        for each in details:
            if database.execute("SELECT 1 FROM alert WHERE id = ?", (each.row.id,)).fetchone():
                _add_details(database, each)


def known_ids(state: StateDatabase) -> set[str]:
    """Returns the ids of all explanations in the index."""
    return {row[0] for row in state.read.execute("SELECT id FROM alert")}


def undetailed_alerts(state: StateDatabase, limit: int) -> list[UndetailedAlert]:
    """Returns explanations that have only been read from a list, the newest first."""
    query = "SELECT id, created, model_digest FROM alert WHERE detailed = 0 ORDER BY created DESC LIMIT ?"
    return [UndetailedAlert(*row) for row in state.read.execute(query, (limit,))]


def _add(database: sqlite3.Connection, row: AlertRow) -> None:
    moment = row.created if row.happened is None else row.happened
    added = database.execute(
        f"INSERT OR IGNORE INTO alert ({_COLUMNS}) VALUES ({_PLACES})",  # noqa: S608 our own names
        (
            *(row.id, row.created, row.happened, moment, row.caller_id, row.model, row.model_digest),
            *(row.target, row.target_label, row.score, row.base, row.in_unit_interval, row.events),
            *(json.dumps(dict(row.labels)), _reasons(row.reasons), row.detailed, _search(row)),
        ),
    )
    if added.rowcount:
        # An alert that comes back, such as with a restored store, has the decision that it had.
        database.execute(
            "UPDATE alert SET decision = (SELECT verdict FROM verdict WHERE alert = ?1 AND verdict IN "
            "('fraud', 'false_positive', 'undecided') ORDER BY id DESC LIMIT 1) WHERE id = ?1",
            (row.id,),
        )
        _put_targets(database, row)
        database.executemany(
            "INSERT INTO alert_label (alert, key, value) VALUES (?, ?, ?)",
            [(row.id, key, value) for key, value in row.labels.items()],
        )


def _add_details(database: sqlite3.Connection, details: AlertDetails) -> None:
    row = details.row
    moment = row.created if row.happened is None else row.happened
    database.execute(
        "UPDATE alert SET happened = ?, moment = ?, in_unit_interval = ?, reasons = ?, detailed = 1 WHERE id = ?",
        (row.happened, moment, row.in_unit_interval, _reasons(row.reasons), row.id),
    )
    _put_targets(database, row)
    database.executemany(
        "INSERT OR REPLACE INTO alert_reason (alert, feature, label) VALUES (?, ?, ?)",
        [(row.id, each.feature, each.label) for each in row.reasons],
    )
    database.executemany(
        "INSERT OR REPLACE INTO alert_effect (space, alert, vector, content) VALUES (?, ?, ?, ?)",
        [(each.space, row.id, each.vector, each.content) for each in details.effects],
    )
    if details.cells is not None:
        database.execute(
            "INSERT OR REPLACE INTO reference_values (model_digest, alert, created, cells) VALUES (?, ?, ?, ?)",
            (row.model_digest, row.id, row.created, details.cells),
        )


def _put_targets(database: sqlite3.Connection, row: AlertRow) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO alert_target (alert, name, label, score, base, reasons) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (row.id, each.name, each.label, each.score, each.base, _reasons(each.reasons))
            for each in row.targets
        ],
    )


def _search(row: AlertRow) -> str:
    """Returns the texts that an alert is found by, each after a line break, which shows where it begins."""
    texts = (row.id, row.caller_id, *row.labels.values())
    return "".join(f"\n{searched(text)}" for text in dict.fromkeys(texts) if text)


def searched(text: str) -> str:
    """Returns a text as searches compare it."""
    return " ".join(text.lower().splitlines())


def _reasons(reasons: Iterable[ReasonFeature]) -> str:
    return json.dumps([[each.feature, each.label, each.value] for each in reasons])
