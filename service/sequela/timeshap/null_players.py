"""Null players: those whose cells cannot change the score, and the game without them.

A player all of whose cells hold the same bits in X and in B adds nothing to any coalition. Its Shapley value is 0 by
the dummy axiom, exactly, and the other players' values are those of the game without it (a dummy never changes what
the others add). So it is left out: fewer players, more games that can be enumerated, no noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution


@dataclass(frozen=True, slots=True, eq=False)
class ReducedGame:
    """A game without its null players. players: the others. live: which of all players these are, (all players,)."""

    players: Players
    live: NDArray[np.bool_]

    @property
    def null(self) -> frozenset[int]:
        """The null players, by their place among all players."""
        return frozenset(np.flatnonzero(~self.live).tolist())

    def expanded(self, solution: Solution | None) -> Solution | None:
        """The solution of the whole game: null players are 0, without error."""
        if solution is None or self.live.all():
            return solution
        values, errors = (
            np.zeros((len(self.live), found.shape[1])) for found in (solution.values, solution.errors)
        )
        values[self.live], errors[self.live] = solution.values, solution.errors
        return Solution(values, errors)


def reduced(players: Players, live: NDArray[np.bool_]) -> ReducedGame:
    """The game of the live players. The cells of the others, the same in X and B, go to any live player."""
    if live.all():
        return ReducedGame(players, live)
    names = tuple(name for name, lives in zip(players.names, live, strict=True) if lives)
    place = np.where(live, np.cumsum(live) - 1, -1)
    grid, static = place[players.grid], place[players.static]
    heirs = _heirs(grid)
    grid = np.where(grid < 0, heirs[:, None], grid)
    static = np.where(static < 0, heirs[0], static)
    return ReducedGame(Players(names, grid, static), live)


def _heirs(grid: NDArray[np.intp]) -> NDArray[np.intp]:
    """Who gets the null cells of each event: a player of that event, else of the event before it that has one, else of
    the first that has one. So no player is met earlier than it would be, but for the first (timeshap/prefixes.py).
    """
    largest = grid.max(axis=1, initial=-1)
    owned = np.flatnonzero(largest >= 0)
    if not len(owned):
        return np.zeros(len(grid), dtype=np.intp)
    latest = np.searchsorted(owned, np.arange(len(grid)), side="right") - 1
    return np.asarray(largest[owned[np.maximum(latest, 0)]], dtype=np.intp)
