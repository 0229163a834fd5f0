"""Null players, whose cells cannot change the score, and the game without them (docs/estimator.md, "Null players").

A player whose cells all have the same bits in X and B adds nothing to any coalition. By the dummy axiom, its Shapley
value is exactly 0, and the values of the other players are those of the game without it. So it is left out: a game
with fewer players has less noise, and can more often be enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution


@dataclass(frozen=True, slots=True, eq=False)
class ReducedGame:
    """A game without its null players.

    Attributes:
        players: The live players, that is all that are not null players.
        live: Which of all players are live, (all players,).
    """

    players: Players
    live: NDArray[np.bool_]

    @property
    def null(self) -> frozenset[int]:
        """The null players, by their positions among all players."""
        return frozenset(np.flatnonzero(~self.live).tolist())

    def expand(self, solution: Solution | None) -> Solution | None:
        """Returns the solution for all players, in which null players have attribution 0 and error 0."""
        if solution is None or self.live.all():
            return solution
        values, errors = (
            np.zeros((len(self.live), found.shape[1])) for found in (solution.values, solution.errors)
        )
        values[self.live], errors[self.live] = solution.values, solution.errors
        return Solution(values, errors)


def reduce_game(players: Players, live: NDArray[np.bool_]) -> ReducedGame:
    """Returns the game of the live players.

    The cells of null players are equal in X and B, so they can be assigned to any live player.

    Args:
        players: All players.
        live: Which of them are live, (players,).
    """
    if live.all():
        return ReducedGame(players, live)
    names = tuple(name for name, lives in zip(players.names, live, strict=True) if lives)
    # The position of each live player among the live ones, and -1 for null players.
    place = np.where(live, np.cumsum(live) - 1, -1)
    grid, static = place[players.grid], place[players.static]
    new_owners = _new_owners(grid)
    grid = np.where(grid < 0, new_owners[:, None], grid)
    static = np.where(static < 0, new_owners[0], static)
    return ReducedGame(Players(names, grid, static), live)


def _new_owners(grid: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns the live player to which the null cells of each event are assigned, (l,).

    This is a live player of that event, or of the latest earlier event that has one, or else of the first event that
    has one. So only the first player can appear earlier than it would otherwise, and coalitions share as many states
    as possible (prefix_tree.py).

    Args:
        grid: The owners of the cells, (l, features), -1 for null players.
    """
    largest = grid.max(axis=1, initial=-1)
    owned = np.flatnonzero(largest >= 0)
    if not len(owned):
        return np.zeros(len(grid), dtype=np.intp)
    latest = np.searchsorted(owned, np.arange(len(grid)), side="right") - 1
    return np.asarray(largest[owned[np.maximum(latest, 0)]], dtype=np.intp)
