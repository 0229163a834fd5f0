"""A cache in the process in front of a shared store's records."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cachetools import TTLCache

from sequela.adapters.store.memory import ENTRY_OVERHEAD_BYTES
from sequela.adapters.store.ports import Record, RecordPage, Records, StoredRecord
from sequela.explain.explanation_query import Deleted, Filter, Selector

COPY_SECONDS = 45.0
"""How long a copy is kept. After a deletion in another process it is gone within a minute."""

_RECORD_BYTES = 2_000
"""About the size of a record in memory, besides its body."""


class RecordCache:
    """Implements `Records`: explanations that were read lately are read again without the shared store.

    Args:
        shared: The shared store.
        max_bytes: The largest size of the copies.
        seconds: How long a copy is kept.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        shared: Records,
        max_bytes: int,
        seconds: float = COPY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._copies: TTLCache[str, StoredRecord] = TTLCache(max_bytes, seconds, clock, _size)

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """See `Records`."""
        with self._lock:
            self._copies.pop(record.summary.name, None)
        self._shared.add(record, body, answer_key)

    def get(self, name: str) -> StoredRecord | None:
        """See `Records`."""
        with self._lock:
            found = self._copies.get(name)
        if found is not None and found.record.expires > datetime.now(UTC):
            return found
        found = self._shared.get(name)
        self._remember(found)
        return found

    def answer(self, answer_key: str) -> StoredRecord | None:
        """See `Records`. It is asked for once per request, so a copy would save nothing."""
        found = self._shared.answer(answer_key)
        self._remember(found)
        return found

    def page(self, wanted: Filter, after: str, limit: int) -> RecordPage:
        """See `Records`."""
        return self._shared.page(wanted, after, limit)

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """See `Records`."""
        self._forget(wanted)
        try:
            return self._shared.delete(wanted, until)
        finally:
            # Once more, for what another thread has read meanwhile.
            self._forget(wanted)

    def _remember(self, found: StoredRecord | None) -> None:
        if found is not None and _size(found) <= self._copies.maxsize:
            with self._lock:
                self._copies[found.record.summary.name] = found

    def _forget(self, wanted: Selector) -> None:
        with self._lock:
            selected = [name for name, each in self._copies.items() if wanted.matches(each.record.summary)]
            for name in selected:
                self._copies.pop(name, None)


def _size(found: StoredRecord) -> int:
    return len(found.body) + _RECORD_BYTES + ENTRY_OVERHEAD_BYTES
