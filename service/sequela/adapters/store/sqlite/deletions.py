"""Deletes explanations: a tombstone at once, then the records in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sequela.adapters.store.ports import Record
from sequela.adapters.store.scopes import selector_digest, selector_digests
from sequela.adapters.store.sqlite.database import Connection
from sequela.adapters.store.timestamps import microseconds
from sequela.explain.explanation_query import CallerSelector, LabelSelector, NameSelector, Selector

BATCH_RECORDS = 500
"""How many records are removed in one transaction. Others can read and write in between."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion of all selected records that are in the store when it begins, whatever their times.

    Attributes:
        selector: Which records.
        last: The largest `record.id` then. Records that are added until the deletion is complete get larger ones.
    """

    selector: Selector
    last: int

    def covers(self, identifier: int, record: Record) -> bool:
        """Returns whether the record with this `record.id` is deleted."""
        return identifier <= self.last and self.selector.matches(record.summary)


def begin(connection: Connection, selector: Selector, made: int, expires: int) -> tuple[Deletion, int]:
    """Writes the tombstone and the pending deletion. Returns the deletion, and how many records it deletes.

    Args:
        connection: The connection, in a transaction.
        selector: Which records.
        made: The present time. Records that were accepted until then are not added later.
        expires: When the tombstone may be forgotten.
    """
    query = "INSERT OR REPLACE INTO tombstone (selector, made, expires) VALUES (?, ?, ?)"
    connection.execute(query, (bytes.fromhex(selector_digest(selector)), made, expires))
    last = int(connection.execute("SELECT ifnull(max(id), 0) FROM record").fetchone()[0])
    deletion = Deletion(selector, last)
    query = "INSERT OR REPLACE INTO pending_deletion (kind, key, value, last) VALUES (?, ?, ?, ?)"
    connection.execute(query, (*_columns(selector), last))
    source, values = _selected(deletion)
    query = f"SELECT count(*) {source} AND record.expires > ?"
    return deletion, int(connection.execute(query, (*values, made)).fetchone()[0])


def remove_batch(connection: Connection, deletion: Deletion) -> bool:
    """Removes up to `BATCH_RECORDS` records. Returns whether none is left, and then forgets the pending deletion."""
    source, values = _selected(deletion)
    query = f"SELECT record.id {source} LIMIT {BATCH_RECORDS}"
    found = [row[0] for row in connection.execute(query, values)]
    remove_records(connection, found)
    if len(found) == BATCH_RECORDS:
        return False
    query = "DELETE FROM pending_deletion WHERE kind = ? AND key = ? AND value = ? AND last <= ?"
    connection.execute(query, (*_columns(deletion.selector), deletion.last))
    return True


def pending(connection: Connection) -> list[Deletion]:
    """Returns the deletions that are not complete."""
    rows = connection.execute("SELECT kind, key, value, last FROM pending_deletion")
    return [Deletion(_selector(kind, key, value), last) for kind, key, value, last in rows]


def is_covered(connection: Connection, record: Record) -> bool:
    """Returns whether a tombstone says that the record was deleted before it is stored."""
    digests = [bytes.fromhex(digest) for digest in selector_digests(record.summary)]
    marks = ", ".join("?" * len(digests))
    query = f"SELECT 1 FROM tombstone WHERE selector IN ({marks}) AND made >= ? LIMIT 1"  # noqa: S608
    return connection.execute(query, (*digests, microseconds(record.accepted))).fetchone() is not None


def remove_records(connection: Connection, identifiers: Sequence[int]) -> None:
    """Removes records with their labels, and bodies that no other record uses."""
    remove_unused(connection, remove_rows(connection, identifiers))


def remove_rows(connection: Connection, identifiers: Sequence[int]) -> set[int]:
    """Removes records with their labels. Returns the bodies that they used."""
    rows = [(identifier,) for identifier in identifiers]
    query = "SELECT body FROM record WHERE id = ?"
    bodies = {body for row in rows for (body,) in connection.execute(query, row)}
    connection.executemany("DELETE FROM label WHERE record = ?", rows)
    connection.executemany("DELETE FROM record WHERE id = ?", rows)
    return bodies


def remove_unused(connection: Connection, bodies: Iterable[int]) -> None:
    """Removes those of the bodies that no record uses."""
    query = "DELETE FROM body WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM record WHERE body = ?1)"
    connection.executemany(query, [(body,) for body in bodies])


def _selected(deletion: Deletion) -> tuple[str, tuple[object, ...]]:
    """Returns the tables and the condition that select the records, and the values of the condition."""
    source, values = _source(deletion.selector)
    return f"FROM {source} AND record.id <= ?", (*values, deletion.last)


def _source(selector: Selector) -> tuple[str, tuple[str, ...]]:
    match selector:
        case NameSelector(name):
            return "record WHERE record.name = ?", (name,)
        case CallerSelector(caller_id):
            return "record WHERE record.alert = ? AND record.alert <> ''", (caller_id,)
        case LabelSelector(key, value):
            joined = "label JOIN record ON record.id = label.record"
            return f"{joined} WHERE label.key = ? AND label.value = ?", (key, value)


def _columns(selector: Selector) -> tuple[str, str, str]:
    match selector:
        case NameSelector(name):
            return "name", name, ""
        case CallerSelector(caller_id):
            return "caller", caller_id, ""
        case LabelSelector(key, value):
            return "label", key, value


def _selector(kind: str, key: str, value: str) -> Selector:
    match kind:
        case "name":
            return NameSelector(key)
        case "caller":
            return CallerSelector(key)
    return LabelSelector(key, value)
