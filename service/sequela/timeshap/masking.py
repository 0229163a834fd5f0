"""h_X(z): builds the sequences that coalitions stand for (TimeSHAP Eq. 6, 7 and 12)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.cells import Cells, Columns
from sequela.timeshap.players import Players

BITS = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


@dataclass(frozen=True, eq=False)
class Masker:
    """Switches cells between a sequence X and a background B of the same shapes."""

    sequence: Cells
    background: Cells
    columns: Columns

    def apply(self, players: Players, coalitions: NDArray[np.bool_]) -> Cells:
        """The batch of sequences for coalitions z, (n, players); True takes a player's cells from X, False
        from B.
        """
        everyone = np.arange(len(coalitions))
        return self.over(players, 0, self.sequence.length).apply(coalitions, everyone)

    def over(self, players: Players, start: int, stop: int) -> Mask:
        """The same for events start … stop - 1 and all static inputs, made ready for many batches."""
        window = slice(start, stop)
        grid = players.grid[window]
        events = tuple(
            switch.between(window, _smallest(grid[:, columns]))
            for switch, columns in zip(self._events, self.columns.events, strict=True)
        )
        static = tuple(
            switch.between(slice(None), np.array([owner]))
            for switch, owner in zip(self._static, players.static, strict=True)
        )
        return Mask(events, static)

    def live(self, players: Players, stop: int) -> NDArray[np.bool_]:
        """Which players own a cell that differs, bit by bit, between X and B: among events 0 … stop - 1 or the static
        inputs. (players,)
        """
        live = np.zeros(len(players), dtype=np.bool_)
        live[players.grid[:stop][self._differing[:stop]]] = True
        for owner, switch in zip(players.static, self._static, strict=True):
            live[owner] |= switch.differing.any()
        return live

    @cached_property
    def _differing(self) -> NDArray[np.bool_]:
        """Which event cells differ, (l, features)."""
        cells = np.zeros((self.sequence.length, self.columns.features), dtype=np.bool_)
        for switch, columns in zip(self._events, self.columns.events, strict=True):
            np.logical_or.at(cells.T, columns, switch.differing.T != 0)
        return cells

    @cached_property
    def _events(self) -> tuple[_Switch, ...]:
        return tuple(map(_switch, self.sequence.events, self.background.events))

    @cached_property
    def _static(self) -> tuple[_Switch, ...]:
        return tuple(map(_switch, self.sequence.static, self.background.static))


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The switches of some events, and of the static inputs."""

    events: tuple[_Switch, ...]
    static: tuple[_Switch, ...]

    def apply(self, coalitions: NDArray[np.bool_], rows: NDArray[np.intp]) -> Cells:
        """The cells for some rows (k,) of coalitions (n, players)."""
        return Cells(
            tuple(switch.apply(coalitions, rows) for switch in self.events),
            tuple(switch.apply(coalitions, rows) for switch in self.static),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Switch:
    """One input's values as bits: those of B, and where X differs. Bits are switched several times faster than
    values are chosen, and just as exactly.

    owners: the owner of each cell, broadcast to the values' shape.
    """

    dtype: np.dtype[Any]
    background: NDArray[Any]
    differing: NDArray[Any]
    owners: NDArray[np.intp]

    def between(self, window: slice, owners: NDArray[np.intp]) -> _Switch:
        return _Switch(self.dtype, self.background[window], self.differing[window], owners)

    def apply(self, coalitions: NDArray[np.bool_], rows: NDArray[np.intp]) -> NDArray[Any]:
        """(k, *shape): X where the owner is in the coalition, else B."""
        present = coalitions.take(rows, axis=0).take(self.owners.ravel(), axis=1)
        # All ones where present: minus one in two's complement.
        bits = np.negative(present.astype(f"i{self.dtype.itemsize}")).view(self.differing.dtype)
        chosen: NDArray[Any] = np.bitwise_and(bits.reshape(-1, *self.owners.shape), self.differing)
        np.bitwise_xor(chosen, self.background, out=chosen)
        return chosen.view(self.dtype)


def _switch(x: NDArray[Any], b: NDArray[Any]) -> _Switch:
    bits = BITS[x.dtype.itemsize]
    x_bits, b_bits = np.ascontiguousarray(x).view(bits), np.ascontiguousarray(b, dtype=x.dtype).view(bits)
    return _Switch(x.dtype, b_bits, x_bits ^ b_bits, np.zeros(0, dtype=np.intp))


def _smallest(owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """Owners (l, d) without the axes along which they are all alike: (l, 1) for events, (1, d) for features."""
    if (owners == owners[:, :1]).all():
        owners = owners[:, :1]
    if (owners == owners[:1]).all():
        owners = owners[:1]
    return owners
