"""How far sampled attributions lie from the truth, beside shap's at the same number of coalitions.

Random GRUs with 14 players (truth: all coalitions) and 30 (truth: random orders, far more than any budget).
Errors are root mean squares over players and seeds, in percent of the root mean square attribution. shap is
KernelExplainer with `l1_reg=False` (its default keeps ten players). All count the empty and full coalitions. The
control variate, for models behind endpoints, takes long to solve: it gets fewer seeds. How often intervals hold the
truth is told for the player missed most and the three largest too: an average over players hides one that is missed.
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
    """Shares of 95 % intervals with the truth: of all, of the player missed most, and of the three largest players."""

    pooled: float
    worst: float
    top: float

    def __str__(self) -> str:
        return f"{self.pooled:.0%} {self.worst:.0%} {self.top:.0%}"


@dataclass(frozen=True, slots=True)
class Row:
    """One game at one budget. Errors in percent; `noise`: the standard error of their difference, from seed to seed;
    `covered`: by our 95 % intervals. `varied`: with the control variate.
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
    """Our estimate from `budget` coalitions."""
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
    """The truth (m), and its own error (0 where exact)."""
    if game.size <= ENUMERABLE:
        return enumerated(game, score), 0.0
    values, errors = permuted(game, score, PERMUTATIONS, seed=0)
    return values, rms(errors)


def measure(game: Game, seeds: range) -> list[Row]:
    """Both estimators on one game, at every budget."""
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
    """By intervals of values and errors, (seeds, players); truth: (players)."""
    held = np.abs(values - truth) <= INTERVAL * errors
    largest = np.argsort(-np.abs(truth))[:3]
    return Coverage(float(held.mean()), float(held.mean(axis=0).min()), float(held[:, largest].mean()))


def _all(solutions: Iterable[Solution]) -> tuple[Floats, Floats]:
    """Attributions and standard errors, (seeds, players) each."""
    found = [(solution.values[:, 0], solution.errors[:, 0]) for solution in solutions]
    values, errors = zip(*found, strict=True)
    return np.stack(values), np.stack(errors)


def _uncertainty(errors: Floats) -> float:
    """The standard error of the root mean square of errors (seeds, players)."""
    squares = np.mean(errors**2, axis=1)
    return float(np.std(squares, ddof=1) / np.sqrt(len(squares)) / (2 * np.sqrt(np.mean(squares))))


def study(effort: Effort, folder: Path) -> Finding:
    """Every game."""
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
