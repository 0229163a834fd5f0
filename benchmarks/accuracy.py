"""Errors and coverage of sampled attributions, beside shap's errors at the same number of coalitions.

The games are random GRUs with 14 and 30 players. The true Shapley values come from all coalitions for 14 players, and
from random orders for 30, with far more evaluations than any budget. Errors are root mean squares over players and
seeds, in percent of the root mean square attribution. shap's KernelExplainer runs with `l1_reg=False`, because its
default keeps only ten players. All numbers of coalitions include the empty and the full one.

The control variate is meant for models behind endpoints and takes long to solve, so it gets fewer seeds. Coverage is
also given for the player that is missed most often and for the three largest players, because an average over players
can hide one that is always missed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from rich.table import Table
from sequela.timeshap.coalitions import allocation, strata
from sequela.timeshap.control_variate.solver import solve_with_variate
from sequela.timeshap.pair_order import PairSampler
from sequela.timeshap.regression import Solution, solve

from benchmarks.beside import say
from benchmarks.effort import Effort
from benchmarks.games import Floats, Game, enumerated, games, permuted
from benchmarks.growth import rms
from benchmarks.peers.jobs import run_game
from benchmarks.peers.scorer import Scorer
from benchmarks.report import Finding, table

BUDGETS = (512, 1024, 2048, 4096, 8192)
ENUMERABLE = 14  # players
PERMUTATIONS = 20_000
INTERVAL = 1.96  # standard errors on either side: 95 %
VARIED_SEEDS = 40
HOLDS = "95 % holds: all, worst, top 3"


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of 95 % intervals that contain the true value: for all players, for the player that is missed most
    often, and for the three largest.
    """

    pooled: float
    worst: float
    top: float

    def __str__(self) -> str:
        return f"{self.pooled:.0%} {self.worst:.0%} {self.top:.0%}"


@dataclass(frozen=True, slots=True)
class Row:
    """The results of one game at one number of coalitions.

    Args:
        game: the name of the game.
        budget: the number of coalitions.
        ours: the error of Sequela's regression, in percent.
        shap: the error of shap, in percent.
        covered: the coverage of our 95 % intervals.
        reference_error: the error of the true values, in percent; 0 if they are exact.
        noise: the standard error, over seeds, of the difference between the two errors.
        varied: the error with the control variate, in percent.
        varied_covered: the coverage with the control variate.
    """

    game: str
    budget: int
    ours: float
    shap: float
    covered: Coverage
    reference_error: float
    noise: float
    varied: float
    varied_covered: Coverage


Solve: TypeAlias = Callable[..., Solution]


def sampled(game: Game, score: Scorer, budget: int, seed: int, solver: Solve = solve) -> Solution:
    """Returns Sequela's estimate from `budget` coalitions."""
    m = game.size
    ends = game.values(np.array([[False] * m, [True] * m]), score)
    sampler, layers = PairSampler(m, seed), strata(m)
    odd = []
    for stratum, count in enumerate(allocation(m, budget)):
        named = sampler.pairs(stratum, 0, count)
        both = game.values(np.concatenate([named, ~named]), score)
        odd.append((both[:count] - both[count:])[:, np.newaxis] / 2)
    return solver(sampler, layers, odd, ends[1:] - ends[:1])


def reference(game: Game, score: Scorer) -> tuple[Floats, float]:
    """Returns the true Shapley values (m), and their standard errors, which are 0 if all coalitions were evaluated."""
    if game.size <= ENUMERABLE:
        return enumerated(game, score), 0.0
    values, errors = permuted(game, score, PERMUTATIONS, seed=0)
    return values, rms(errors)


def measure(game: Game, seeds: range) -> list[Row]:
    """Measures both estimators on one game, at every budget."""
    score = Scorer(str(game.model))
    say(f"{game.name}: reference")
    truth, own_error = reference(game, score)
    scale = 100 / rms(truth)
    say(f"{game.name}: shap, {len(seeds)} seeds")
    shap = run_game(
        "shap", game.model, game.sequence, game.background, game.players, budgets=BUDGETS, seeds=seeds
    )
    rows = []

    def error(values: Floats) -> float:
        return float(scale * rms(values - truth))

    for budget, theirs in zip(BUDGETS, shap.attributions, strict=True):
        say(f"{game.name}: ours, {budget} coalitions")
        ours, errors = _all(sampled(game, score, budget, seed) for seed in seeds)
        varied, bars = _all(
            sampled(game, score, budget, seed, solve_with_variate) for seed in seeds[:VARIED_SEEDS]
        )
        rows.append(
            Row(
                game=game.name,
                budget=budget,
                ours=error(ours),
                shap=error(theirs),
                covered=coverage(ours, errors, truth),
                reference_error=scale * own_error,
                noise=scale * float(np.hypot(_uncertainty(ours - truth), _uncertainty(theirs - truth))),
                varied=error(varied),
                varied_covered=coverage(varied, bars, truth),
            )
        )
    return rows


def coverage(values: Floats, errors: Floats, truth: Floats) -> Coverage:
    """Returns the coverage of the 95 % intervals of values and standard errors (seeds, players); truth is (players)."""
    held = np.abs(values - truth) <= INTERVAL * errors
    largest = np.argsort(-np.abs(truth))[:3]
    return Coverage(float(held.mean()), float(held.mean(axis=0).min()), float(held[:, largest].mean()))


def _all(solutions: Iterable[Solution]) -> tuple[Floats, Floats]:
    """Stacks attributions and standard errors of all seeds, (seeds, players) each."""
    found = [(solution.values[:, 0], solution.errors[:, 0]) for solution in solutions]
    values, errors = zip(*found, strict=True)
    return np.stack(values), np.stack(errors)


def _uncertainty(errors: Floats) -> float:
    """Returns the standard error of the root mean square of errors (seeds, players), over seeds."""
    squares = np.mean(errors**2, axis=1)
    return float(np.std(squares, ddof=1) / np.sqrt(len(squares)) / (2 * np.sqrt(np.mean(squares))))


def study(effort: Effort, folder: Path) -> Finding:
    """Measures every game at every budget."""
    rows = [row for game in games(folder) for row in measure(game, range(effort.seeds))]
    return Finding("accuracy", rows, [_table(rows)])


def _table(rows: list[Row]) -> Table:
    columns = (
        "players",
        "coalitions",
        "ours",
        "shap",
        "ratio",
        HOLDS,
        "variate",
        HOLDS,
        "truth ±",
    )
    shown = [
        [
            row.game,
            str(row.budget),
            f"{row.ours:.2f}",
            f"{row.shap:.2f}",
            f"{row.ours / row.shap:.2f}",
            str(row.covered),
            f"{row.varied:.2f}",
            str(row.varied_covered),
            f"{row.reference_error:.2f}",
        ]
        for row in rows
    ]
    return table("Error of sampled attributions, % of the rms attribution", columns, shown)
