"""Computes Shapley values and pruning by their definitions: every coalition, plain loops, factorial weights.

The tests compare results with these values. The module imports nothing from the code that it checks and shares no
method with it. It is slow: fourteen players are about the limit.

Arrays have no batch axis: (l, width) for an event input, oldest event first, and (width,) for a static one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Scorer = Callable[[Arrays], NDArray[np.float64]]  # a batch, (n, …) an input -> (n, targets)
Cell = tuple[str, int | None, int]  # input, position in time from 0 (None: static), column
Coalition = frozenset[int]
Values = Mapping[Coalition, NDArray[np.float64]]  # coalition -> (targets,)

BATCH = 512


@dataclass(frozen=True)
class Player:
    """A player: its key, such as ("event", -2), and the cells that it owns."""

    key: tuple[Any, ...]
    cells: frozenset[Cell]


@dataclass(frozen=True)
class Attributions:
    """The Shapley value of every player for every target, with the base value and the score."""

    players: tuple[Player, ...]
    values: NDArray[np.float64]  # (players, targets)
    base: NDArray[np.float64]  # (targets,): every player absent
    score: NDArray[np.float64]  # (targets,): every player present

    def of(self, *key: Any) -> NDArray[np.float64]:
        """Returns the values (targets,) of the player with this key. Raises KeyError if there is none."""
        rows: dict[tuple[Any, ...], NDArray[np.float64]] = dict(
            zip((player.key for player in self.players), self.values, strict=True)
        )
        return rows[key]


def coalitions(m: int) -> Iterator[Coalition]:
    """Yields all 2^m subsets of players 0 … m - 1, by size."""
    for size in range(m + 1):
        for members in combinations(range(m), size):
            yield frozenset(members)


def shapley(values: Values, m: int) -> NDArray[np.float64]:
    """Computes φ_i = Σ over S without i of |S|! (m - |S| - 1)! / m! · (v(S ∪ {i}) - v(S)), as (m, targets)."""
    attributions = np.zeros((m, len(values[frozenset()])))
    weights = [math.factorial(s) * math.factorial(m - s - 1) / math.factorial(m) for s in range(m)]
    for coalition in coalitions(m):
        if absent := [player for player in range(m) if player not in coalition]:
            joined = np.array([values[coalition | {player}] for player in absent])
            attributions[absent] += weights[len(coalition)] * (joined - values[coalition])
    return attributions


def switched(x: Arrays, background: Arrays, absent: Sequence[Player]) -> dict[str, NDArray[Any]]:
    """Returns h_X(z): X with the cells of absent players replaced by the background (paper, Eq. 1, 6, 7 and 12)."""
    result = {name: array.copy() for name, array in x.items()}
    for player in absent:
        for name, position, column in player.cells:
            if position is None:
                result[name][column] = background[name][column]
            else:
                result[name][position, column] = background[name][position, column]
    return result


def coalition_values(scorer: Scorer, x: Arrays, background: Arrays, players: Sequence[Player]) -> Values:
    """Computes v(S) for every S: the score with the players of S from X and the others from the background."""
    values: dict[Coalition, NDArray[np.float64]] = {}
    pending = coalitions(len(players))
    while batch := list(islice(pending, BATCH)):
        rows = [
            switched(x, background, [player for i, player in enumerate(players) if i not in coalition])
            for coalition in batch
        ]
        scores = scorer({name: np.stack([row[name] for row in rows]) for name in x})
        values.update(zip(batch, np.asarray(scores, dtype=np.float64), strict=True))
    return values


def attributions(scorer: Scorer, x: Arrays, background: Arrays, players: Sequence[Player]) -> Attributions:
    """Computes the Shapley values of `players` in the game v(S) = f(h_X(S)). The background has the shapes of X."""
    taken: set[Cell] = set()
    for player in players:
        assert player.cells, f"{player.key} has no cells"
        assert not taken & player.cells, f"{player.key} shares cells with another player"
        taken |= player.cells
    values = coalition_values(scorer, x, background, players)
    everyone = frozenset(range(len(players)))
    return Attributions(tuple(players), shapley(values, len(players)), values[frozenset()], values[everyone])


def logit(scorer: Scorer) -> Scorer:
    """Returns the scorer on the scale of log-odds, log(p / (1 - p)), with p kept 2⁻²⁴ away from 0 and 1."""

    def log_odds(arrays: Arrays) -> NDArray[np.float64]:
        p = np.clip(scorer(arrays), 2.0**-24, 1 - 2.0**-24)
        odds: NDArray[np.float64] = np.log(p / (1 - p))
        return odds

    return log_odds


def aligned(matrix: NDArray[Any], mean_event: NDArray[Any], length: int) -> NDArray[Any]:
    """Fits a background (k, width) to a sequence of `length` events. Its last row belongs to t = 0.

    Shorter sequences get its last rows. Events that are older than its first row get the mean event (width,).
    """
    rows = [matrix[t - 1] if -t < len(matrix) else mean_event for t in range(1 - length, 1)]
    return np.stack(rows)


def pruning_curve(scorer: Scorer, x: Arrays, background: Arrays) -> NDArray[np.float64]:
    """Computes w1 of Algorithm 1 for the splits after event i = 1 … l - 1, as (l - 1, targets). A single event has no
    splits.

    One player of a split is its older events. The other is its recent events together with all static cells, so that
    f(B) has the background's static inputs and f(X) those of X.
    """
    names = {name for name, array in x.items() if array.ndim == 2}
    length = len(x[min(names)])
    static = {(name, None, column) for name in x.keys() - names for column in range(x[name].shape[0])}

    def cells(positions: range) -> set[Cell]:
        return {(name, p, column) for name in names for p in positions for column in range(x[name].shape[1])}

    weights = []
    for split in range(1, length):
        older = Player(("older",), frozenset(cells(range(split))))
        recent = Player(("recent",), frozenset(cells(range(split, length)) | static))
        weights.append(attributions(scorer, x, background, [older, recent]).of("older"))
    return np.array(weights) if weights else np.empty((0, 1))


def cut(curve: NDArray[np.float64], tolerance: float) -> int:
    """Returns how many of the oldest events are pruned: the largest i with |w1| < η for every target, else 0."""
    for split in range(len(curve), 0, -1):
        if np.all(np.abs(curve[split - 1]) < tolerance):
            return split
    return 0
