"""The states of a recurrent model after the first events of X or B, from which coalitions continue."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.ports import PaddingRows, Recurrence, States
from sequela.timeshap.cells import Cells
from sequela.timeshap.masking import Masker

GRID_EVENTS = 16
"""States of backgrounds are computed at intervals of this many events (the grid), and other states from the last one
before them. So an answer does not depend, even in its last bit, on what is in the cache.
"""
MAX_CACHE_BYTES = 64 << 20
OVERHEAD_BYTES = 512
"""Approximate memory in bytes of an array besides its values, and of a cache entry besides its arrays."""


@dataclass(frozen=True, slots=True)
class PrefixSource:
    """Where a prefix takes its values from. True means X and False means B, for the events and each static input."""

    events: bool
    static: tuple[bool, ...]


class BackgroundStateCache:
    """States of backgrounds, shared by all requests. The least recently used are dropped first. Thread-safe.

    A key (made by `_background_key` in `choose_execution.py`) names the model and the background. For a background
    matrix, whose rows are counted from the last event, it also contains the length of the sequence. The key of a single
    state between two points of the grid also contains its number of events.

    Args:
        max_bytes: The memory that the states may use, including `OVERHEAD_BYTES` for each array and entry.
    """

    def __init__(self, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._lock = threading.Lock()
        self._grids: OrderedDict[str, tuple[States, ...]] = OrderedDict()

    def get(self, key: str) -> tuple[States, ...]:
        """Returns the states with this key. For a grid, these are the states after 0, 16, 32 … events, without gaps."""
        with self._lock:
            if key in self._grids:
                self._grids.move_to_end(key)
            return self._grids.get(key, ())

    def keep(self, key: str, grid: tuple[States, ...]) -> None:
        """Stores a grid, unless the cache already has a longer one."""
        with self._lock:
            known = self._grids.pop(key, ())
            # Another request may have computed a longer grid meanwhile.
            self._grids[key] = max(known, grid, key=len)
            self._bytes += _bytes(self._grids[key]) - _bytes(known)
            # This may drop the new grid too, if it alone is larger than the cache. Its request still holds it.
            while self._bytes > self._max_bytes:
                self._bytes -= _bytes(self._grids.popitem(last=False)[1])


def _bytes(grid: Sequence[States]) -> int:
    """Returns the size of a grid in bytes, including the overhead of its cache entry; 0 for an empty grid."""
    arrays = [array for states in grid for array in states]
    return sum(array.nbytes + OVERHEAD_BYTES for array in arrays) + OVERHEAD_BYTES * bool(grid)


@dataclass(slots=True, eq=False)
class PrefixStates:
    """The states after prefixes of X and B, for one request. Only the thread of the request uses it.

    Attributes:
        recurrence: The model.
        masker: Holds X and B.
        padding: The padding around the events.
        kept_ends: Numbers of events, ascending, after which states are kept because later calls start from them.
        caller: Calls the model.
        cache: The states of backgrounds that all requests share.
        key: The background's key in `cache`; None if it must not be shared.
    """

    recurrence: Recurrence
    masker: Masker
    padding: PaddingRows
    kept_ends: Sequence[int]
    caller: ModelCaller
    cache: BackgroundStateCache
    key: str | None
    _known: dict[PrefixSource, dict[int, States]] = field(default_factory=dict)

    def states(self, stop: int, source: PrefixSource, until: float) -> States:
        """Returns the states (1, width) after events 0 … stop - 1 of a source. Raises as `ModelCaller.run` does."""
        known = self._known.setdefault(source, {})
        found = known.get(stop)
        if found is not None:
            return found
        if self.key and not source.events and not any(source.static):
            known[stop] = self._from_grid(self.key, stop, source, until)
            return known[stop]
        position = max((end for end in known if end < stop), default=0)
        states = known[position] if position else self._after_padding(source, until)
        # Stop at each of `kept_ends` on the way, so that later calls find the states there.
        for end in (*(end for end in self.kept_ends if position < end < stop), stop):
            states = self._advance(states, position, end, source, until)
            known[end] = states
            position = end
        return states

    def _from_grid(self, key: str, stop: int, source: PrefixSource, until: float) -> States:
        start = stop // GRID_EVENTS * GRID_EVENTS
        if start == stop:
            return self._grid(key, stop, source, until)[stop // GRID_EVENTS]
        # Alerts of one model are often cut at the same places, so the states between the grid are kept as well.
        between = f"{key}/{stop}"
        kept = self.cache.get(between)
        if kept:
            return kept[0]
        grid = self._grid(key, stop, source, until)
        states = self._advance(grid[stop // GRID_EVENTS], start, stop, source, until)
        self.cache.keep(between, (states,))
        return states

    def _grid(self, key: str, stop: int, source: PrefixSource, until: float) -> tuple[States, ...]:
        """Returns the states after 0, 16, 32 … events, at least up to `stop`."""
        grid = self.cache.get(key)
        if len(grid) <= stop // GRID_EVENTS:
            longer = list(grid) or [self._after_padding(source, until)]
            for start in range((len(longer) - 1) * GRID_EVENTS, stop - GRID_EVENTS + 1, GRID_EVENTS):
                longer.append(self._advance(longer[-1], start, start + GRID_EVENTS, source, until))
            # Stored grids are never changed, so that other threads can read them without a lock.
            grid = tuple(longer)
            self.cache.keep(key, grid)
        return grid

    def _after_padding(self, source: PrefixSource, until: float) -> States:
        """Returns the states before the first real event."""
        padding = self.padding.before
        states = self.recurrence.initial(1)
        return self._run(padding, states, source, until) if len(padding[0]) else states

    def _advance(self, states: States, start: int, stop: int, source: PrefixSource, until: float) -> States:
        if start == stop:
            return states
        cells = self.masker.sequence if source.events else self.masker.background
        return self._run(tuple(array[start:stop] for array in cells.events), states, source, until)

    def _run(
        self, events: Sequence[NDArray[Any]], states: States, source: PrefixSource, until: float
    ) -> States:
        static = tuple(
            x if from_x else b
            for from_x, x, b in zip(
                source.static, self.masker.sequence.static, self.masker.background.static, strict=True
            )
        )
        batch = Cells(tuple(events), static).as_batch()

        def call(end: float) -> States:
            return self.recurrence.advance(batch, states, end)

        return self.caller.run_job(partial(self.caller.run, 1, len(events[0]), until, call))
