"""Records that are owed to a shared store while it is down, and found meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import structlog

from sequela.adapters.store.outbox.folder import OutboxFolder
from sequela.adapters.store.outbox.sender import OutboxSender
from sequela.adapters.store.ports import (
    Addition,
    Record,
    RecordPage,
    Records,
    StoreDown,
    StoredRecord,
)
from sequela.explain.explanation_query import Deleted, Filter, Selector

Result = TypeVar("Result")
_Read: TypeAlias = Callable[[], StoredRecord | None]

_log = structlog.get_logger(__name__)


class OutboxRecords:
    """Implements `Records` in front of a shared store: what the store cannot take is put into the outbox.

    Args:
        shared: The shared store.
        outbox: What waits for it.
        sender: Sends what waits.
        is_deleted: Returns whether a deletion in the shared store covers a record, as far as this replica knows.
    """

    def __init__(
        self,
        shared: Records,
        outbox: OutboxFolder,
        sender: OutboxSender,
        is_deleted: Callable[[Record], bool],
    ) -> None:
        self._shared = shared
        self._file = outbox.file
        self._sender = sender
        self._is_deleted = is_deleted

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """See `Records`. It raises StoreDown only if the outbox cannot be written to, either."""
        try:
            self._shared.add(record, body, answer_key)
        except StoreDown:
            self._owe(record, body, answer_key)
        else:
            if self._file.count:  # one of that name may wait, and must not replace this one
                self._with_file(lambda: self._file.discard(record.summary.name))

    def get(self, name: str) -> StoredRecord | None:
        """See `Records`."""
        return self._find(lambda: self._file.get(name), lambda: self._shared.get(name))

    def answer(self, answer_key: str) -> StoredRecord | None:
        """See `Records`."""
        return self._find(lambda: self._file.answer(answer_key), lambda: self._shared.answer(answer_key))

    def page(self, wanted: Filter, after: str, limit: int) -> RecordPage:
        """See `Records`. What is owed is not listed yet."""
        return self._shared.page(wanted, after, limit)

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """See `Records`. What is owed is deleted even if the shared store is down, which still raises StoreDown."""
        owed = self._with_file(lambda: self._file.delete(wanted)) or 0
        self._sender.tell()
        found = self._shared.delete(wanted, until)
        return Deleted(found.count + owed, found.complete)

    def _owe(self, record: Record, body: bytes, answer_key: str | None) -> None:
        try:
            self._file.add(Addition(record, body, answer_key))
        except sqlite3.Error as error:
            _log.error("outbox not written", file=str(self._file.path), detail=str(error))
            raise StoreDown("and the outbox cannot be written to") from error
        self._sender.tell()

    def _find(self, read_owed: _Read, read_shared: _Read) -> StoredRecord | None:
        owed = self._with_file(read_owed) if self._file.count else None
        try:
            found = read_shared()
        except StoreDown:
            if owed is None:
                raise
            found = None
        return self._choose(owed, found)

    def _choose(self, owed: StoredRecord | None, found: StoredRecord | None) -> StoredRecord | None:
        if owed is None or self._is_deleted(owed.record):
            return found
        if found is None or found.record.accepted <= owed.record.accepted:
            return owed
        return found

    def _with_file(self, read: Callable[[], Result]) -> Result | None:
        try:
            return read()
        except sqlite3.Error as error:
            _log.error("outbox unreadable", file=str(self._file.path), detail=str(error))
            return None
