"""h_X(z): builds the perturbed sequence of each coalition (TimeSHAP Eq. 6 and 7).

The bits of X and B are combined with exclusive or. This is exact, and several times faster than selecting values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.cells import Cells, Columns
from sequela.timeshap.players import Players

BITS = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}
"""The unsigned integer types by their size in bytes."""
MIN_SHARED_COLUMNS = 16
"""With fewer columns, looking up the player of every cell is faster than numpy's broadcasting over short rows."""
SIGNED = {size: np.dtype(f"i{size}") for size in (1, 2, 4, 8)}
"""The signed integer types by their size in bytes."""


@dataclass(frozen=True, eq=False)
class Masker:
    """Takes each cell from a sequence X or from a background B of the same shape.

    Attributes:
        sequence: X.
        background: B.
        columns: The feature to which each column belongs.
    """

    sequence: Cells
    background: Cells
    columns: Columns

    def apply(self, players: Players, coalitions: NDArray[np.bool_]) -> Cells:
        """Returns h_X(z) for coalitions z (n, players). The cells of present players come from X, others from B."""
        everyone = np.arange(len(coalitions))
        return self.over(players, 0, self.sequence.length).apply(coalitions, everyone)

    def over(self, players: Players, start: int, stop: int) -> Mask:
        """Prepares the perturbations of the events start … stop - 1 and of all static inputs, for many batches."""
        window = slice(start, stop)
        grid = players.grid[window]
        events = tuple(
            switch.restrict(window, _owners(grid, columns))
            for switch, columns in zip(self._events, self.columns.events, strict=True)
        )
        static = tuple(
            switch.restrict(slice(None), players.static[place : place + 1])
            for place, switch in enumerate(self._static)
        )
        return Mask(events, static)

    def live(self, players: Players, stop: int) -> NDArray[np.bool_]:
        """Returns which players own a cell whose bits differ between X and B, (players,).

        Only the events 0 … stop - 1 and the static inputs are considered.
        """
        live = np.zeros(len(players), dtype=np.bool_)
        live[players.grid[:stop][self._differing[:stop]]] = True
        for owner, switch in zip(players.static, self._static, strict=True):
            live[owner] |= switch.differing.any()
        return live

    @cached_property
    def _differing(self) -> NDArray[np.bool_]:
        """Which event cells differ between X and B, (l, features)."""
        cells = np.zeros((self.sequence.length, self.columns.features), dtype=np.bool_)
        for switch, columns in zip(self._events, self.columns.events, strict=True):
            # `at`, because an assignment by index would keep only the last of a feature's columns.
            np.logical_or.at(cells.T, columns, switch.differing.T != 0)
        return cells

    @cached_property
    def _events(self) -> tuple[_Switch, ...]:
        return tuple(map(_switch, self.sequence.events, self.background.events))

    @cached_property
    def _static(self) -> tuple[_Switch, ...]:
        return tuple(map(_switch, self.sequence.static, self.background.static))


@dataclass(frozen=True, eq=False)
class Mask:
    """Builds some of the events, and the static inputs, of perturbed sequences."""

    events: tuple[_Switch, ...]
    static: tuple[_Switch, ...]

    @cached_property
    def event_cells(self) -> int:
        """The number of values of the events of one sequence."""
        return sum(switch.background.size for switch in self.events)

    def apply(self, coalitions: NDArray[np.bool_], rows: NDArray[np.intp]) -> Cells:
        """Returns the cells for the given rows (k,) of coalitions (n, players)."""
        present = coalitions.take(rows, axis=0).view(np.int8)
        # -1 has all bits set, so it keeps every bit in which X differs; 0 keeps none.
        bits = {size: np.negative(present, dtype=SIGNED[size]) for size in self._value_bytes}
        return Cells(
            tuple(switch.apply(bits[switch.dtype.itemsize]) for switch in self.events),
            tuple(switch.apply(bits[switch.dtype.itemsize]) for switch in self.static),
        )

    @cached_property
    def _value_bytes(self) -> set[int]:
        return {switch.dtype.itemsize for switch in (*self.events, *self.static)}


@dataclass(frozen=True, slots=True, eq=False)
class _Switch:
    """One input of X and B as bits.

    Attributes:
        dtype: The type of the values.
        background: The bits of B.
        differing: The bits in which X differs from B.
        owners: The owner of each cell; it broadcasts to the shape of the values.
    """

    dtype: np.dtype[Any]
    background: NDArray[Any]
    differing: NDArray[Any]
    owners: NDArray[np.intp]

    def restrict(self, window: slice, owners: NDArray[np.intp]) -> _Switch:
        return _Switch(self.dtype, self.background[window], self.differing[window], owners)

    def apply(self, bits: NDArray[Any]) -> NDArray[Any]:
        """Returns values (k, *shape): those of X if the owner of a cell is in the coalition, else those of B.

        Args:
            bits: For k coalitions, an integer of all bits for each player in it and 0 for the others, (k, players).
        """
        # `take` with two-dimensional indices gives (k, *owners.shape) at once.
        chosen: NDArray[Any] = np.bitwise_and(
            # Without a check of the indices, which are always valid, `take` is faster.
            bits.take(self.owners, axis=1, mode="clip").view(self.differing.dtype),
            self.differing,
        )
        np.bitwise_xor(chosen, self.background, out=chosen)
        return chosen.view(self.dtype)


def _switch(x: NDArray[Any], b: NDArray[Any]) -> _Switch:
    bits = BITS[x.dtype.itemsize]
    # B gets the type of X first, so that equal values have equal bits.
    x_bits, b_bits = np.ascontiguousarray(x).view(bits), np.ascontiguousarray(b, dtype=x.dtype).view(bits)
    return _Switch(x.dtype, b_bits, x_bits ^ b_bits, np.zeros(0, dtype=np.intp))


def _owners(grid: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns the owners of an input's cells, (l, d), or of fewer cells if the others have the same owners."""
    owners = grid.take(columns, axis=1)
    return owners if len(columns) < MIN_SHARED_COLUMNS else _without_uniform_axes(owners)


def _without_uniform_axes(owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """Reduces owners (l, d) to (l, 1) if all columns are equal, and to (1, d) if all events are, to save look-ups."""
    if (owners == owners[:, :1]).all():
        owners = owners[:, :1]
    if (owners == owners[:1]).all():
        owners = owners[:1]
    return owners
