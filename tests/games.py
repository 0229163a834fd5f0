"""Small cooperative games with known Shapley values, as functions of coalitions. Tests use them to check axioms and
accuracy.

Every game takes coalitions (n, m), which are True for the players that are in, and returns values (n, targets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from brute_force import shapley
from hypothesis import strategies as st
from numpy.typing import NDArray

Coalitions = NDArray[np.bool_]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TableGame:
    """Any game of few players. Row k of `table` (2^m, targets) has the value of the coalition whose members are the
    bits of k.
    """

    table: Array

    @property
    def players(self) -> int:
        return len(self.table).bit_length() - 1

    def __call__(self, coalitions: Coalitions) -> Array:
        return self.table[coalitions @ (1 << np.arange(self.players))]

    def shapley(self) -> Array:
        """Computes the Shapley values (players, targets) by their definition."""
        members = [frozenset(i for i in range(self.players) if k >> i & 1) for k in range(len(self.table))]
        return shapley(dict(zip(members, self.table, strict=True)), self.players)


@dataclass(frozen=True, eq=False)
class SumOfUnanimities:
    """v(S) = base + Σ_k worth_k · 1[S contains carrier_k]. The members of a carrier share its worth equally.

    Args:
        carriers: (k, m), True for the members of each carrier, of which there is at least one.
        worths: (k, targets).
        base: (targets,).

    The closed form holds for any m, so it gives exact attributions where there are too many coalitions to enumerate.
    """

    carriers: Coalitions
    worths: Array
    base: Array

    @property
    def players(self) -> int:
        return int(self.carriers.shape[1])

    def __call__(self, coalitions: Coalitions) -> Array:
        held = (coalitions[:, None, :] | ~self.carriers[None]).all(axis=2)
        total: Array = self.base + held.astype(np.float64) @ self.worths
        return total

    def shapley(self) -> Array:
        """Computes the Shapley values (players, targets) in closed form."""
        shares = self.worths / self.carriers.sum(axis=1, keepdims=True)
        total: Array = self.carriers.T.astype(np.float64) @ shares
        return total


@dataclass(frozen=True, eq=False)
class NetworkGame:
    """A smooth game like that of a neural network: sigmoid(tanh(z W + b) · v), with one target and no closed form."""

    inward: Array  # (m, hidden)
    bias: Array  # (hidden,)
    outward: Array  # (hidden,)

    @property
    def players(self) -> int:
        return len(self.inward)

    def __call__(self, coalitions: Coalitions) -> Array:
        hidden = np.tanh(coalitions @ self.inward + self.bias)
        logits: Array = hidden @ self.outward
        return 1 / (1 + np.exp(-logits[:, None]))


def random_game(m: int, seed: int, targets: int = 1) -> TableGame:
    """Returns a game in which the value of every coalition is drawn independently."""
    return TableGame(np.random.default_rng(seed).normal(size=(1 << m, targets)))


def additive_game(weights: Sequence[float], base: float = 0.0) -> SumOfUnanimities:
    """Returns the game v(S) = base + Σ of the weights of its members."""
    return SumOfUnanimities(np.eye(len(weights), dtype=bool), np.array(weights)[:, None], np.array([base]))


def symmetric_game(m: int, seed: int) -> TableGame:
    """Returns a game in which only the size of a coalition matters, so that all attributions are equal."""
    worth = np.random.default_rng(seed).normal(size=(m + 1, 1))
    return TableGame(worth[[k.bit_count() for k in range(1 << m)]])


def with_twins(game: TableGame, first: int, second: int) -> TableGame:
    """Returns the average of a game and the same game with two players exchanged, which makes them interchangeable."""
    swapped = [_swapped(k, first, second) for k in range(len(game.table))]
    return TableGame((game.table + game.table[swapped]) / 2)


def with_dummies(game: TableGame, dummies: Sequence[int], worth: float = 0.0) -> TableGame:
    """Returns the game in which each of `dummies` adds `worth` to every coalition that it joins."""
    mask = sum(1 << player for player in dummies)
    joined = np.array([(k & mask).bit_count() for k in range(len(game.table))])
    return TableGame(game.table[[k & ~mask for k in range(len(game.table))]] + worth * joined[:, None])


def sparse_game(m: int, seed: int, terms: int = 60, largest: int = 4, targets: int = 1) -> SumOfUnanimities:
    """Returns random interactions of up to `largest` players, for any m, with attributions in closed form."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, min(largest, m) + 1, size=terms)
    carriers = np.zeros((terms, m), dtype=bool)
    for row, size in zip(carriers, sizes, strict=True):
        row[rng.choice(m, size=size, replace=False)] = True
    return SumOfUnanimities(carriers, rng.normal(size=(terms, targets)), rng.normal(size=targets))


def network_game(m: int, seed: int, hidden: int = 16) -> NetworkGame:
    """Returns a random network whose score covers much of (0, 1)."""
    rng = np.random.default_rng(seed)
    inward = rng.normal(size=(m, hidden)) * 3 / np.sqrt(m)
    return NetworkGame(inward, rng.normal(size=hidden), rng.normal(size=hidden) * 4 / np.sqrt(hidden))


def _swapped(k: int, first: int, second: int) -> int:
    a, b = k >> first & 1, k >> second & 1
    return k & ~(1 << first | 1 << second) | b << first | a << second


def table_games(largest: int = 7, targets: int = 1) -> st.SearchStrategy[TableGame]:
    """Random games of 1 to `largest` players."""
    return st.builds(random_game, st.integers(1, largest), st.integers(0, 2**32), st.just(targets))


def sparse_games(smallest: int = 12, largest: int = 24) -> st.SearchStrategy[SumOfUnanimities]:
    """Games with known attributions that are too large to enumerate quickly."""
    return st.builds(sparse_game, st.integers(smallest, largest), st.integers(0, 2**32))
