"""Games whose Shapley values have a closed form: the kinds for which estimators differ most.

Every game is scaled so that its largest attribution is `LARGEST`, as that of a player in the alerts of our models. So
one target standard error suits all games.
"""

from collections.abc import Callable
from math import factorial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.estimators.known_game import Coalitions, Floats, KnownGame, Worth, exact

LARGEST = 0.25
SPARSE_TERMS = 60
LARGEST_TERM = 4
"""The largest number of players in an interaction of a sparse game."""
CARRIERS = (3, 6, 10)
"""The sizes of the groups in a unanimity game."""
GROUPS = (2, 4, 6, 8)
"""The sizes of the groups in a redundant game."""
RULES = 3
QUOTA = 0.6
"""The share of all votes that a coalition must exceed to win."""

Ints: TypeAlias = npt.NDArray[np.int64]
Make: TypeAlias = Callable[[int, int], KnownGame]
"""Makes a game of a number of players, from a seed."""


def additive(players: int, seed: int) -> KnownGame:
    """Returns a game without interactions."""
    weights = np.random.default_rng(seed).normal(size=players)
    return _scaled("additive", lambda z: z @ weights, weights)


def sparse(players: int, seed: int) -> KnownGame:
    """Returns a sum of interactions of up to four players, with normal worths."""
    rng = np.random.default_rng(seed)
    return _unanimities("sparse", _random_carriers(players, rng), rng.normal(size=SPARSE_TERMS))


def heavy_tailed(players: int, seed: int) -> KnownGame:
    """Returns a sum of such interactions whose worths differ by orders of magnitude."""
    rng = np.random.default_rng(seed)
    return _unanimities(
        "heavy-tailed", _random_carriers(players, rng), rng.standard_t(1.5, size=SPARSE_TERMS)
    )


def unanimity(players: int, seed: int) -> KnownGame:
    """Returns the sum of three games in which a group has the value 1 if all of its members are in."""
    rng = np.random.default_rng(seed)
    carriers = np.zeros((len(CARRIERS), players), dtype=bool)
    for row, size in zip(carriers, CARRIERS, strict=True):
        row[rng.choice(players, size, replace=False)] = True
    return _unanimities("unanimity", carriers, np.ones(len(CARRIERS)))


def redundant(players: int, seed: int) -> KnownGame:
    """Returns a game of groups in which one member of a group is as good as all of them."""
    rng = np.random.default_rng(seed)
    groups = [rng.choice(players, size, replace=False) for size in GROUPS]
    worths, shares = rng.normal(size=len(groups)), np.zeros(players)
    for group, worth in zip(groups, worths, strict=True):
        shares[group] += worth / len(group)

    def values(z: Coalitions) -> Floats:
        return np.column_stack([z[:, group].any(axis=1) for group in groups]) @ worths

    return _scaled("redundant", values, shares)


def airport(players: int, seed: int) -> KnownGame:
    """Returns the airport game: a runway is as long as its largest user needs, and each piece of it is shared equally
    by those who need it (Littlechild and Owen 1973).
    """
    costs = np.random.default_rng(seed).pareto(1.5, size=players)
    order = np.argsort(costs)
    pieces = np.diff(costs[order], prepend=0.0) / np.arange(players, 0, -1)
    shares = np.empty(players)
    shares[order] = np.cumsum(pieces)
    return _scaled("airport", lambda z: np.where(z, costs, 0.0).max(axis=1), shares)


def rules(players: int, seed: int) -> KnownGame:
    """Returns an additive game with three rules. A rule adds a value if its three or four players are in and its three
    or four others are not, which holds for 1 coalition in 140 to 630.
    """
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=players) * 0.02
    shares, terms = weights.copy(), []
    for _ in range(RULES):
        a, b = rng.integers(3, 5, size=2)
        order, worth = rng.permutation(players), rng.choice([-1.0, 1.0]) * rng.uniform(1, 2)
        inside, outside = order[:a], order[a : a + b]
        terms.append((inside, outside, worth))
        shares[inside] += worth * factorial(a - 1) * factorial(b) / factorial(a + b)
        shares[outside] -= worth * factorial(a) * factorial(b - 1) / factorial(a + b)

    def values(z: Coalitions) -> Floats:
        total = z @ weights
        for inside, outside, worth in terms:
            total = total + worth * (z[:, inside].all(axis=1) & ~z[:, outside].any(axis=1))
        return total

    return _scaled("rules", values, shares)


def votes(players: int, seed: int) -> KnownGame:
    """Returns the game in which a coalition wins if it has more than three fifths of all votes.

    The closed form counts the coalitions for which a player is decisive, by their sizes and votes.
    """
    rng = np.random.default_rng(seed)
    held = np.maximum(np.round(rng.exponential(size=players) * 60), 1).astype(np.int64)
    quota = QUOTA * held.sum()
    orders = factorial(players)
    weights = np.array([factorial(s) * factorial(players - 1 - s) / orders for s in range(players)])
    shares = np.array([_decisive(np.delete(held, i), held[i], quota) @ weights for i in range(players)])
    return _scaled("votes", lambda z: (z @ held > quota).astype(np.float64), shares)


def _decisive(others: Ints, own: int, quota: float) -> Floats:
    """Counts, by size, the coalitions of others that lose, and win together with a player of `own` votes."""
    total = int(others.sum())
    counts = np.zeros((len(others) + 1, total + 1))
    counts[0, 0] = 1
    for votes_held in others:
        grown = counts.copy()
        grown[1:, votes_held:] += counts[:-1, : total + 1 - votes_held]
        counts = grown
    sums = np.arange(total + 1)
    turned: Floats = counts[:, (sums <= quota) & (sums + own > quota)].sum(axis=1)
    return turned


def _random_carriers(players: int, rng: np.random.Generator) -> Coalitions:
    carriers = np.zeros((SPARSE_TERMS, players), dtype=bool)
    for row in carriers:
        row[rng.choice(players, rng.integers(1, LARGEST_TERM + 1), replace=False)] = True
    return carriers


def _unanimities(name: str, carriers: Coalitions, worths: Floats) -> KnownGame:
    """Returns the sum of unanimity games: the members of a carrier (k, m) share its worth (k,) equally."""
    sizes = carriers.sum(axis=1)
    members = carriers.T.astype(np.float64)

    def values(z: Coalitions) -> Floats:
        return (z @ members == sizes) @ worths

    return _scaled(name, values, members @ (worths / sizes))


def _scaled(name: str, worth: Worth, shares: Floats) -> KnownGame:
    factor = LARGEST / float(np.abs(shares).max())
    return exact(name, lambda z: factor * worth(z), factor * shares)
