"""The indexes of the in-process store: sorted texts by index name, bounded. Not thread-safe by itself."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Index:
    expires: float
    entries: list[str] = field(default_factory=list)


class MemoryIndexes:
    """Holds at most `max_entries` entries of indexes with a ttl; the longest unwritten index is dropped
    first.

    Indexes without a ttl are not bounded here: their entries name keys that are.
    """

    def __init__(self, max_entries: int, clock: Callable[[], float]) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._held = 0
        self._lasting: dict[str, _Index] = {}
        self._fading: OrderedDict[str, _Index] = OrderedDict()

    def add(self, name: str, entry: str, ttl: float | None) -> None:
        """Puts the entry in its place."""
        index = self._take(name) or _Index(math.inf)
        place = bisect_left(index.entries, entry)
        if index.entries[place : place + 1] != [entry]:
            index.entries.insert(place, entry)
        if ttl is None:
            self._lasting[name] = index
        else:
            index.expires = self._clock() + ttl
            self._fading[name] = index
            self._held += len(index.entries)
            self._bound()

    def remove(self, name: str, entries: tuple[str, ...]) -> None:
        """Takes the entries out."""
        index = self._find(name)
        if not index:
            return
        for entry in entries:
            place = bisect_left(index.entries, entry)
            if index.entries[place : place + 1] == [entry]:
                self._cut(name, index, place, place + 1)

    def page(self, name: str, after: str, limit: int) -> tuple[str, ...]:
        """Up to `limit` entries behind `after`."""
        index = self._find(name)
        if not index:
            return ()
        start = bisect_right(index.entries, after)
        return tuple(index.entries[start : start + limit])

    def trim(self, name: str, after: str) -> None:
        """Takes everything behind `after` out."""
        index = self._find(name)
        if index:
            self._cut(name, index, bisect_right(index.entries, after), len(index.entries))

    def _find(self, name: str) -> _Index | None:
        index = self._lasting.get(name) or self._fading.get(name)
        return index if index and index.expires > self._clock() else None

    def _take(self, name: str) -> _Index | None:
        """Takes a living index out of its map, to be put back as the latest written."""
        index = self._find(name)
        self._lasting.pop(name, None)
        self._drop(name)
        return index

    def _drop(self, name: str) -> None:
        index = self._fading.pop(name, None)
        if index:
            self._held -= len(index.entries)

    def _cut(self, name: str, index: _Index, start: int, stop: int) -> None:
        del index.entries[start:stop]
        if name in self._fading:
            self._held -= stop - start

    def _bound(self) -> None:
        """Drops what expired and what was written longest ago; of a last one too large, the end."""
        while len(self._fading) > 1:
            name, oldest = next(iter(self._fading.items()))
            if self._held <= self._max_entries and oldest.expires > self._clock():
                return
            self._drop(name)
        name, latest = next(iter(self._fading.items()))
        self._cut(name, latest, min(self._max_entries, len(latest.entries)), len(latest.entries))
