"""Games of the kinds for which estimators go wrong, with their Shapley values in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
from games import Array, Coalitions, SumOfUnanimities, additive_game, sparse_game


@dataclass(frozen=True, eq=False)
class KnownGame:
    """A game. `worth` maps coalitions (n, m) to values (n, 1), and `attributions` is (m, 1)."""

    name: str
    worth: Callable[[Coalitions], Array]
    attributions: Array

    @property
    def players(self) -> int:
        return len(self.attributions)

    def __call__(self, coalitions: Coalitions) -> Array:
        return self.worth(coalitions)

    def __str__(self) -> str:
        return self.name


def airport(costs: Array) -> KnownGame:
    """Returns the airport game: a runway is as long as its largest user needs, and each piece is shared by those who
    need it (Littlechild and Owen 1973).
    """
    order = np.argsort(costs)
    pieces = np.diff(costs[order], prepend=0.0) / np.arange(len(costs), 0, -1)
    shares = np.empty(len(costs))
    shares[order] = np.cumsum(pieces)
    return KnownGame("airport", lambda z: np.where(z, costs, 0.0).max(axis=1)[:, None], shares[:, None])


def rules(players: int, seed: int, count: int = 3) -> KnownGame:
    """Returns an additive game with rules: a value is added if some three or four players are in and some others are
    not. Few coalitions satisfy a rule, 1 in 140 to 630.
    """
    rng = np.random.default_rng(seed)
    shares = rng.normal(size=players) * 0.02
    weights, terms = shares.copy(), []
    for _ in range(count):
        a, b = rng.integers(3, 5, size=2)
        order, worth = rng.permutation(players), rng.choice([-1.0, 1.0]) * rng.uniform(1, 2)
        inside, outside = order[:a], order[a : a + b]
        terms.append((inside, outside, worth))
        shares[inside] += worth * factorial(a - 1) * factorial(b) / factorial(a + b)
        shares[outside] -= worth * factorial(a) * factorial(b - 1) / factorial(a + b)

    def worth_of(z: Coalitions) -> Array:
        total = z @ weights
        for inside, outside, worth in terms:
            total = total + worth * (z[:, inside].all(axis=1) & ~z[:, outside].any(axis=1))
        return np.asarray(total)[:, None]

    return KnownGame("rules", worth_of, shares[:, None])


def rare_effect(players: int, inside: int, outside: int, seed: int) -> KnownGame:
    """Returns an additive game to which 1 is added if some players are in and some others are not. Of all coalitions,
    1 in 2^(inside + outside) show it.
    """
    rng = np.random.default_rng(seed)
    weights, order = rng.normal(size=players) * 0.05, rng.permutation(players)
    present, absent = order[:inside], order[inside : inside + outside]
    shares = weights.copy()
    shares[present] += factorial(inside - 1) * factorial(outside) / factorial(inside + outside)
    if outside:
        shares[absent] -= factorial(inside) * factorial(outside - 1) / factorial(inside + outside)

    def worth_of(z: Coalitions) -> Array:
        return (z @ weights + (z[:, present].all(axis=1) & ~z[:, absent].any(axis=1)))[:, None]

    return KnownGame("rare effect", worth_of, shares[:, None])


def votes(players: int, seed: int) -> KnownGame:
    """Returns the game whose value is 1 if the members have more than three fifths of all votes. The closed form
    counts, for each player, the coalitions for which it is decisive, by size and number of votes.
    """
    held = np.maximum(np.round(np.random.default_rng(seed).exponential(size=players) * 60), 1).astype(int)
    total = int(held.sum())
    quota = 0.6 * total
    shares = np.zeros(players)
    for player in range(players):
        counts = np.zeros((players, total + 1))
        counts[0, 0] = 1
        for other in np.delete(held, player):
            grown = counts.copy()
            grown[1:, other:] += counts[:-1, : total + 1 - other]
            counts = grown
        sums = np.arange(total + 1)
        turned = counts[:, (sums <= quota) & (sums + held[player] > quota)].sum(axis=1)
        weights = [factorial(s) * factorial(players - 1 - s) / factorial(players) for s in range(players)]
        shares[player] = turned @ weights
    return KnownGame("votes", lambda z: (z @ held > quota).astype(np.float64)[:, None], shares[:, None])


def redundant(players: int, seed: int) -> KnownGame:
    """Returns a game of groups in which one member of a group is as good as all of them."""
    rng = np.random.default_rng(seed)
    groups = [rng.choice(players, size, replace=False) for size in (2, 4, 6, 8)]
    worths, shares = rng.normal(size=len(groups)), np.zeros(players)
    for group, worth in zip(groups, worths, strict=True):
        shares[group] += worth / len(group)

    def worth_of(z: Coalitions) -> Array:
        pairs = zip(groups, worths, strict=True)
        return np.sum([worth * z[:, group].any(axis=1) for group, worth in pairs], axis=0)[:, None]

    return KnownGame("redundant", worth_of, shares[:, None])


def known_games(players: int, seed: int) -> list[KnownGame]:
    """Returns one game of each kind. There must be at least ten players."""
    rng = np.random.default_rng(seed)
    sparse = sparse_game(players, seed)
    heavy = SumOfUnanimities(sparse.carriers, rng.standard_t(1.5, size=sparse.worths.shape), sparse.base)
    carriers = np.zeros((3, players), dtype=bool)
    for row, size in zip(carriers, (3, 6, 10), strict=True):
        row[rng.choice(players, size, replace=False)] = True
    unanimity = SumOfUnanimities(carriers, np.ones((3, 1)), np.zeros(1))
    sums = {
        "additive": additive_game(rng.normal(size=players).tolist()),
        "sparse": sparse,
        "heavy-tailed": heavy,
        "unanimity": unanimity,
    }
    return [
        *(KnownGame(name, game, game.shapley()) for name, game in sums.items()),
        airport(rng.pareto(1.5, size=players)),
        rules(players, seed),
        votes(players, seed),
        redundant(players, seed),
    ]
