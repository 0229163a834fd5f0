"""Values in the process, limited in size: the caches in front of a store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TLRUCache

from sequela.adapters.store.ports import StoreFull

ENTRY_OVERHEAD_BYTES = 256
"""Size of an entry in bytes besides its value: the key, Python's objects and the slots in hash tables."""

MAX_BYTES = 256 << 20
MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class _ExpiringValue:
    value: bytes
    ttl_seconds: float


class MemoryKeyValue:
    """Implements `KeyValue`. When space runs out, entries that expire are dropped, the least recently used first.

    Args:
        max_bytes: The limit for all entries that expire together, and separately for all others. An entry that does not
            expire is never dropped; one that does not fit is refused with StoreFull.
        max_entries: How many entries that expire are kept.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        max_bytes: int = MAX_BYTES,
        max_entries: int = MAX_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        # Reentrant, because `put_if_absent` calls `get` and `put`.
        self._lock = threading.RLock()
        self._permanent: dict[str, bytes] = {}
        self._permanent_bytes = 0
        self._expiring: TLRUCache[str, _ExpiringValue] = TLRUCache(
            max_bytes, lambda _, entry, now: now + entry.ttl_seconds, clock, lambda entry: _size(entry.value)
        )

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        with self._lock:
            if key in self._permanent:
                return self._permanent[key]
            entry = self._expiring.get(key)
            return entry.value if entry else None

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """See `KeyValue`."""
        with self._lock:
            if ttl_seconds is None:
                self._put_permanent(key, value)
            else:
                self._put_expiring(key, _ExpiringValue(value, ttl_seconds))

    def put_if_absent(self, key: str, value: bytes, ttl_seconds: float | None = None) -> bytes:
        """See `KeyValue`."""
        with self._lock:
            present = self.get(key)
            if present is not None:
                return present
            self.put(key, value, ttl_seconds)
            return value

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        with self._lock:
            permanent = self._permanent.pop(key, None)
            if permanent is None:
                return self._expiring.pop(key, None) is not None
            self._permanent_bytes -= _size(permanent)
            return True

    def _put_permanent(self, key: str, value: bytes) -> None:
        present = self._permanent.get(key)
        total = self._permanent_bytes + _size(value) - (_size(present) if present is not None else 0)
        if total > self._max_bytes:
            raise StoreFull(self._max_bytes)
        self._expiring.pop(key, None)
        self._permanent[key] = value
        self._permanent_bytes = total

    def _put_expiring(self, key: str, entry: _ExpiringValue) -> None:
        self.delete(key)
        if _size(entry.value) > self._max_bytes:
            return  # it would not even fit into an empty store
        self._expiring[key] = entry
        while len(self._expiring) > self._max_entries:
            self._expiring.popitem()


def _size(value: bytes) -> int:
    return len(value) + ENTRY_OVERHEAD_BYTES
