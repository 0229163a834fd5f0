"""The backend in the process: limited in size, and lost when the process ends.

The index keeps sorted lists with the standard library's `bisect`. docs/design.md says why no library is used.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from cachetools import TLRUCache

from sequela.adapters.store.absent_records import AbsentRecords
from sequela.adapters.store.leases import ProcessLeases
from sequela.adapters.store.ports import Store, StoreFull

ENTRY_OVERHEAD_BYTES = 256
"""Size of an entry in bytes besides its value: the key, Python's objects and the slots in hash tables."""

MAX_BYTES = 256 << 20
MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class _ExpiringValue:
    value: bytes
    ttl_seconds: float


def memory_store(max_bytes: int = MAX_BYTES, max_entries: int = MAX_ENTRIES) -> Store:
    """Returns an empty store. The arguments are those of `MemoryKeyValue`."""
    return Store(
        MemoryKeyValue(max_bytes, max_entries), MemoryIndex(max_entries), AbsentRecords(), ProcessLeases()
    )


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


@dataclass(slots=True)
class _SortedSet:
    expires: float
    entries: list[str] = field(default_factory=list)


class MemoryIndex:
    """Implements `Index`. When space runs out, whole sets that expire are dropped, the least recently written first.

    Sets that do not expire have no limit of their own: their entries name keys, and the number of keys is limited.

    Args:
        max_entries: How many entries all sets that expire may have together.
        clock: Returns the time in seconds.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._lock = threading.Lock()
        self._permanent: dict[str, _SortedSet] = {}
        self._expiring: OrderedDict[str, _SortedSet] = OrderedDict()
        self._expiring_entries = 0

    def add(self, name: str, entry: str, ttl_seconds: float | None = None) -> None:
        """See `Index`."""
        with self._lock:
            # Taken out and put back, so that the set moves to the end and its size is counted once.
            found = self._pop(name) or _SortedSet(math.inf)
            place = bisect_left(found.entries, entry)
            # A slice, because `place` may be behind the last entry.
            if found.entries[place : place + 1] != [entry]:
                found.entries.insert(place, entry)
            if ttl_seconds is None:
                self._permanent[name] = found
            else:
                found.expires = self._clock() + ttl_seconds
                self._expiring[name] = found  # at the end: the most recently written
                self._expiring_entries += len(found.entries)
                self._drop_surplus()

    def remove(self, name: str, *entries: str) -> None:
        """See `Index`."""
        with self._lock:
            found = self._find(name)
            if found is None:
                return
            for entry in entries:
                place = bisect_left(found.entries, entry)
                if found.entries[place : place + 1] == [entry]:
                    self._delete(name, found, place, place + 1)

    def page(self, name: str, after: str, limit: int) -> tuple[str, ...]:
        """See `Index`."""
        with self._lock:
            found = self._find(name)
            if found is None:
                return ()
            start = bisect_right(found.entries, after)
            return tuple(found.entries[start : start + limit])

    def trim(self, name: str, after: str) -> None:
        """See `Index`."""
        with self._lock:
            found = self._find(name)
            if found is not None:
                self._delete(name, found, bisect_right(found.entries, after), len(found.entries))

    def _find(self, name: str) -> _SortedSet | None:
        found = self._permanent.get(name) or self._expiring.get(name)
        return found if found and found.expires > self._clock() else None

    def _pop(self, name: str) -> _SortedSet | None:
        found = self._find(name)
        self._permanent.pop(name, None)
        self._drop(name)
        return found

    def _drop(self, name: str) -> None:
        found = self._expiring.pop(name, None)
        if found:
            self._expiring_entries -= len(found.entries)

    def _delete(self, name: str, found: _SortedSet, start: int, stop: int) -> None:
        del found.entries[start:stop]
        if name in self._expiring:
            self._expiring_entries -= stop - start

    def _drop_surplus(self) -> None:
        """Drops expired sets and those written longest ago. A last set that is too large loses its end."""
        while len(self._expiring) > 1:
            name, oldest = next(iter(self._expiring.items()))
            if self._expiring_entries <= self._max_entries and oldest.expires > self._clock():
                return
            self._drop(name)
        name, newest = next(iter(self._expiring.items()))
        self._delete(name, newest, min(self._max_entries, len(newest.entries)), len(newest.entries))


def _size(value: bytes) -> int:
    return len(value) + ENTRY_OVERHEAD_BYTES
