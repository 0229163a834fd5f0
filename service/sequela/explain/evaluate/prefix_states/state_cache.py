"""The states of a recurrent model after the first events of X and of B: what coalitions begin from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.ports import Frame, Recurrence, States
from sequela.timeshap.cells import Cells
from sequela.timeshap.masking import Masker

GRID = 16
"""Background states are kept after every so many events; the events in between are run again. What is kept never
changes an answer's bits: states are always worked out from the grid.
"""
ROOM = 64 << 20
BOOKKEEPING = 512
"""Bytes that an array takes beside its values, and an entry beside its arrays."""


@dataclass(frozen=True, slots=True)
class Side:
    """Where the events before a past's end come from (X, or else B), and each static input."""

    events: bool
    static: tuple[bool, ...]


class BackgroundStateCache:
    """States of backgrounds by position, shared by all requests; the least recently used give way.

    Keys name the model, the background and, where its rows are counted from the last event, the length.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room, self._used = room, 0
        self._lock = threading.Lock()
        self._grids: OrderedDict[str, tuple[States, ...]] = OrderedDict()

    def get(self, key: str) -> tuple[States, ...]:
        """The states after 0, 16, 32 … events, as far as they are known."""
        with self._lock:
            if key in self._grids:
                self._grids.move_to_end(key)
            return self._grids.get(key, ())

    def keep(self, key: str, grid: tuple[States, ...]) -> None:
        """Takes a grid that reaches further."""
        with self._lock:
            known = self._grids.pop(key, ())
            self._grids[key] = max(known, grid, key=len)
            self._used += _bytes(self._grids[key]) - _bytes(known)
            while self._used > self._room:
                self._used -= _bytes(self._grids.popitem(last=False)[1])


def _bytes(grid: Sequence[States]) -> int:
    """Of a grid; one that is there at all takes the room of its entry too."""
    arrays = [array for states in grid for array in states]
    return sum(array.nbytes + BOOKKEEPING for array in arrays) + BOOKKEEPING * bool(grid)


@dataclass(slots=True, eq=False)
class PrefixStates:
    """The pasts of one request. Used by its own thread.

    window_ends: positions, ascending, where states are kept on the way: later questions will begin there. key: B's in
    `shared`; None where it must not be shared.
    """

    recurrence: Recurrence
    masker: Masker
    frame: Frame
    window_ends: Sequence[int]
    caller: ModelCaller
    shared: BackgroundStateCache
    key: str | None
    _reached: dict[Side, dict[int, States]] = field(default_factory=dict)

    def states(self, stop: int, side: Side, until: float) -> States:
        """After events 0 … stop - 1 of a side, one row. Raises as `ModelCaller.run` does."""
        reached = self._reached.setdefault(side, {})
        if stop in reached:
            return reached[stop]
        if self.key and not side.events and not any(side.static):
            reached[stop] = self._from_grid(self.key, stop, side, until)
            return reached[stop]
        position = max((at for at in reached if at < stop), default=0)
        states = reached[position] if position else self._before(side, until)
        for following in (*(at for at in self.window_ends if position < at < stop), stop):
            states = self._advanced(states, position, following, side, until)
            reached[following] = states
            position = following
        return states

    def _from_grid(self, key: str, stop: int, side: Side, until: float) -> States:
        grid = self.shared.get(key)
        if len(grid) <= stop // GRID:
            fresh = list(grid) or [self._before(side, until)]
            for start in range((len(fresh) - 1) * GRID, stop - GRID + 1, GRID):
                fresh.append(self._advanced(fresh[-1], start, start + GRID, side, until))
            grid = tuple(fresh)
            self.shared.keep(key, grid)
        return self._advanced(grid[stop // GRID], stop // GRID * GRID, stop, side, until)

    def _before(self, side: Side, until: float) -> States:
        """After the padding before the first event."""
        padding = self.frame.before
        states = self.recurrence.initial(1)
        return self._run(padding, states, side, until) if len(padding[0]) else states

    def _advanced(self, states: States, start: int, stop: int, side: Side, until: float) -> States:
        if start == stop:
            return states
        cells = self.masker.sequence if side.events else self.masker.background
        return self._run(tuple(array[start:stop] for array in cells.events), states, side, until)

    def _run(self, events: Sequence[NDArray[Any]], states: States, side: Side, until: float) -> States:
        static = tuple(
            x if inside else b
            for inside, x, b in zip(
                side.static, self.masker.sequence.static, self.masker.background.static, strict=True
            )
        )
        batch = Cells(tuple(events), static).as_batch()

        def call(end: float) -> States:
            return self.recurrence.advance(batch, states, end)

        (ended,) = self.caller.run_jobs([partial(self.caller.run, 1, len(events[0]), until, call)])
        return ended
