"""Estimates the attributions of a numpy game with the core alone: sample coalitions, evaluate them, solve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sequela.timeshap.coalitions import allocation, strata
from sequela.timeshap.control_variate.rank_kernels import ranking
from sequela.timeshap.designs import NewDesigns
from sequela.timeshap.pair_order import PairSampler
from sequela.timeshap.rank_solver import solve_ranked
from sequela.timeshap.regression import Solution, solve

Game = Callable[[NDArray[np.bool_]], NDArray[np.float64]]


def gain(game: Game, players: int) -> NDArray[np.float64]:
    """v(N) - v(∅), (targets,)."""
    ends = game(np.repeat([[False], [True]], players, axis=1))
    return ends[1] - ends[0]


def sampled(game: Game, players: int, budget: int, seed: int = 0) -> Solution:
    """Shapley values from `budget` coalitions."""
    sampler = PairSampler(players, seed)
    odd = []
    for stratum, count in enumerate(allocation(players, budget)):
        pairs = sampler.pairs(stratum, 0, count)
        odd.append((game(pairs) - game(~pairs)) / 2)
    return solve(sampler, strata(players), odd, gain(game, players))


def exact(game: Game, players: int) -> Solution:
    """Shapley values from all coalitions."""
    return sampled(game, players, 1 << players)


def ranked(game: Game, players: int, budget: int, seed: int = 0) -> Solution:
    """As `sampled`, with players in the order of their rough attributions."""
    return ranked_and_base(game, players, budget, seed)[0]


def ranked_and_base(game: Game, players: int, budget: int, seed: int = 0) -> tuple[Solution, Solution]:
    """As `ranked`, and what the base estimator alone gives for the same sample."""
    alone, gained = np.eye(players, dtype=bool), gain(game, players)
    order = ranking((game(alone) - game(~alone)) / 2, gained)
    place, sampler, odd = np.argsort(order), PairSampler(players, seed), []
    for stratum, count in enumerate(allocation(players, budget)):
        pairs = sampler.pairs(stratum, 0, count)[:, place]
        odd.append((game(pairs) - game(~pairs)) / 2)
    found = solve_ranked(NewDesigns(sampler), odd, gained)
    both = (Solution(each.values[place], each.errors[place]) for each in (found.solution, found.base))
    return next(both), next(both)
