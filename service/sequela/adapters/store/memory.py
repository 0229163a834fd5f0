"""The key-value port inside the process: bounded, and gone with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TLRUCache

from sequela.adapters.store.memory_index import MemoryIndexes
from sequela.adapters.store.ports import StoreFull

ENTRY_OVERHEAD = 256
"""Bytes counted for an entry beside its value: key, objects, table slots."""


@dataclass(frozen=True, slots=True)
class _Fading:
    value: bytes
    ttl: float


def _size(value: bytes) -> int:
    return len(value) + ENTRY_OVERHEAD


class MemoryKeyValue:
    """Entries with a ttl give way to newer ones, the least recently used first; entries without one never do.

    max_bytes: room for the entries with a ttl, and as much again for those without, which are refused with
    StoreFull past it. max_entries: how many keys with a ttl, and how many index entries with one, are kept.
    """

    def __init__(
        self,
        max_bytes: int = 256 << 20,
        max_entries: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._lock = threading.RLock()
        self._lasting: dict[str, bytes] = {}
        self._lasting_bytes = 0
        self._fading: TLRUCache[str, _Fading] = TLRUCache(
            max_bytes, lambda _, entry, now: now + entry.ttl, clock, lambda entry: _size(entry.value)
        )
        self._indexes = MemoryIndexes(max_entries, clock)

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        with self._lock:
            if key in self._lasting:
                return self._lasting[key]
            entry = self._fading.get(key)
            return entry.value if entry else None

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `KeyValue`."""
        with self._lock:
            if ttl is None:
                self._put_lasting(key, value)
            else:
                self._put_fading(key, _Fading(value, ttl))

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bytes:
        """See `KeyValue`."""
        with self._lock:
            standing = self.get(key)
            if standing is not None:
                return standing
            self.put(key, value, ttl)
            return value

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        with self._lock:
            lasting = self._lasting.pop(key, None)
            if lasting is None:
                return self._fading.pop(key, None) is not None
            self._lasting_bytes -= _size(lasting)
            return True

    def index_add(self, index: str, entry: str, ttl: float | None = None) -> None:
        """See `KeyValue`."""
        with self._lock:
            self._indexes.add(index, entry, ttl)

    def index_remove(self, index: str, *entries: str) -> None:
        """See `KeyValue`."""
        with self._lock:
            self._indexes.remove(index, entries)

    def index_page(self, index: str, after: str, limit: int) -> tuple[str, ...]:
        """See `KeyValue`."""
        with self._lock:
            return self._indexes.page(index, after, limit)

    def index_trim(self, index: str, after: str) -> None:
        """See `KeyValue`."""
        with self._lock:
            self._indexes.trim(index, after)

    def _put_lasting(self, key: str, value: bytes) -> None:
        before = self._lasting.get(key)
        grown = self._lasting_bytes + _size(value) - (_size(before) if before is not None else 0)
        if grown > self._max_bytes:
            raise StoreFull(self._max_bytes)
        self._fading.pop(key, None)
        self._lasting[key] = value
        self._lasting_bytes = grown

    def _put_fading(self, key: str, entry: _Fading) -> None:
        self.delete(key)
        if _size(entry.value) > self._max_bytes:
            return  # there will never be room for it
        self._fading[key] = entry
        while len(self._fading) > self._max_entries:
            self._fading.popitem()
