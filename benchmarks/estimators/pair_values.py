"""The Shapley values of games of functions: from all coalitions, or from a sample of pairs."""

from collections.abc import Callable, Sequence
from math import comb
from typing import TypeAlias

import numpy as np
from sequela.timeshap.coalitions import allocation, strata
from sequela.timeshap.control_variate.rank_kernels import ranking
from sequela.timeshap.designs import NewDesigns
from sequela.timeshap.pair_order import PairSampler
from sequela.timeshap.rank_solver import solve_ranked
from sequela.timeshap.regression import Solution, solve

from benchmarks.estimators.known_game import Coalitions, Floats, Worth

Solve: TypeAlias = Callable[..., Solution]
"""Solves a sample, as `regression.solve` does."""


def all_coalitions(players: int) -> Coalitions:
    """Returns the coalitions of m players, (2^m, m). The members of coalition k are the bits of k."""
    return (np.arange(1 << players)[:, np.newaxis] >> np.arange(players)) & 1 == 1


def shapley_values(table: Floats) -> Floats:
    """Returns the Shapley values (m,) by their definition, from the values of all coalitions (2^m,) in that order."""
    players = len(table).bit_length() - 1
    index = np.arange(len(table))
    sizes = np.bitwise_count(index)
    # |S|! (m - |S| - 1)! / m! for each size of S
    weights = np.array([1.0 / (players * comb(players - 1, size)) for size in range(players)])
    found = np.empty(players)
    for player in range(players):
        without = index[index >> player & 1 == 0]
        found[player] = weights[sizes[without]] @ (table[without | 1 << player] - table[without])
    return found


def enumerated(worth: Worth, players: int) -> Floats:
    """Returns the Shapley values (m,) of a game of few players, from all of its coalitions."""
    return shapley_values(worth(all_coalitions(players)))


def sampled(worth: Worth, players: int, budget: int, seed: int, solver: Solve = solve) -> Solution:
    """Returns an estimate from `budget` coalitions, the empty and the full one included, for one target."""
    ends = worth(np.repeat([[False], [True]], players, axis=1))
    sampler = PairSampler(players, seed)
    pairs = [sampler.pairs(stratum, 0, count) for stratum, count in enumerate(allocation(players, budget))]
    named = np.concatenate(pairs)
    values = worth(np.concatenate([named, ~named]))
    odd = (values[: len(named), np.newaxis] - values[len(named) :, np.newaxis]) / 2
    edges = np.cumsum([len(each) for each in pairs])[:-1]
    return solver(sampler, strata(players), np.split(odd, edges), ends[1:] - ends[:1])


def ranked(worth: Worth, players: int, budget: int, seed: int) -> Solution:
    """Returns an estimate with rank kernels from `budget` coalitions, for one target: players are ordered first."""
    ends = worth(np.repeat([[False], [True]], players, axis=1))
    gain = ends[1:] - ends[:1]
    alone = np.eye(players, dtype=bool)
    order = ranking((worth(alone) - worth(~alone))[:, np.newaxis] / 2, gain)
    place = np.argsort(order)
    found = sampled(lambda drawn: worth(drawn[:, place]), players, budget, seed, _solve_ranked)
    return Solution(found.values[place], found.errors[place])


def _solve_ranked(sampler: PairSampler, _: object, odd: Sequence[Floats], gain: Floats) -> Solution:
    return solve_ranked(NewDesigns(sampler), odd, gain).solution
