"""How often 95 % intervals hold the truth, and bias, player by player, on the games with known Shapley values.

Every game is estimated with many seeds, with a fixed number of coalitions, and as a level at default settings, where
the target standard error stops it. An average over players can hide one that is always missed. So the worst player and
the three largest are shown as well, and the bias: the mean error of a player over seeds, divided by its mean standard
error, for the player where it is largest. Without any bias that ratio is about 1/√n for each player with n seeds, so
the tables say how large the largest one may be by chance.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from rich.table import Table

from benchmarks.beside import say
from benchmarks.effort import Effort
from benchmarks.estimators.catalogue import COMPARED, known_games
from benchmarks.estimators.known_game import Floats, KnownGame
from benchmarks.estimators.level_game import level
from benchmarks.estimators.ours import OURS, OurEstimator
from benchmarks.growth import rms
from benchmarks.report import Finding, table

FIXED = 2048
"""The fixed number of coalitions."""
DEVIATIONS = 1.96
ROUNDING = 1e-7
"""Errors up to this size are rounding errors of float32 models, and count as held."""
GAMES = (*COMPARED, "demo-features", "rules-20", "rules-40")


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Estimates of one game, one for each seed.

    Attributes:
        values: The attributions, (seeds, m).
        errors: Their standard errors, (seeds, m).
        coalitions: How many coalitions each one took, (seeds,).
    """

    values: Floats
    errors: Floats
    coalitions: Floats


@dataclass(frozen=True, slots=True)
class Row:
    """How well the error bars of one estimator hold on one game.

    Attributes:
        game: The name of the game.
        players: Its number of players.
        estimator: The name of the estimator.
        ends: What ended the sample: a number of coalitions, or the target.
        seeds: The number of seeds.
        coalitions: The mean number of coalitions.
        error: The root mean square error.
        pooled: The share of all intervals that hold the truth.
        worst: That share for the player that is missed most often.
        top: That share for the three largest players.
        bias: The mean error divided by the mean standard error, for the player where it is largest.
        chance: What `bias` exceeds in one of twenty studies if there is no bias and error bars are right.
    """

    game: str
    players: int
    estimator: str
    ends: str
    seeds: int
    coalitions: float
    error: float
    pooled: float
    worst: float
    top: float
    bias: float
    chance: float


def measured(game: KnownGame, estimator: str, ends: str, found: Estimates) -> Row:
    """Compares estimates with the truth. Standard errors of the truth are added to those of the estimates."""
    off = found.values - game.truth
    bars = np.hypot(found.errors, game.truth_errors)
    held = np.abs(off) <= DEVIATIONS * bars + ROUNDING
    largest = np.argsort(-np.abs(game.truth))[:3]
    return Row(
        game=game.name,
        players=game.players,
        estimator=estimator,
        ends=ends,
        seeds=len(off),
        coalitions=float(found.coalitions.mean()),
        error=rms(off),
        pooled=float(held.mean()),
        worst=float(held.mean(axis=0).min()),
        top=float(held[:, largest].mean()),
        bias=float((np.abs(off.mean(axis=0)) / (bars.mean(axis=0) + ROUNDING)).max()),
        chance=NormalDist().inv_cdf((1 + 0.95 ** (1 / game.players)) / 2) / float(np.sqrt(len(off))),
    )


def fixed(game: KnownGame, ours: OurEstimator, seeds: range, budget: int = FIXED) -> Estimates:
    """Returns estimates from a fixed number of coalitions."""
    found = [ours.estimate(game, game.players, budget, seed) for seed in seeds]
    return Estimates(
        values=np.stack([solution.values[:, 0] for solution in found]),
        errors=np.stack([solution.errors[:, 0] for solution in found]),
        coalitions=np.full(len(found), float(budget)),
    )


def stopped(game: KnownGame, ours: OurEstimator, seeds: range) -> Estimates:
    """Returns estimates of levels at default settings."""
    assert ours.option is not None
    found = [level(game, seed, ours.option) for seed in seeds]
    solutions = [outcome.solution for outcome in found if outcome.solution]
    return Estimates(
        values=np.stack([solution.values[:, 0] for solution in solutions]),
        errors=np.stack([solution.errors[:, 0] for solution in solutions]),
        coalitions=np.array([float(outcome.coalitions) for outcome in found]),
    )


def measure(game: KnownGame, seeds: int) -> Iterator[Row]:
    """Measures all of our estimators on one game."""
    ways: dict[str, Callable[..., Estimates]] = {f"{FIXED}": fixed, "target": stopped}
    for name, ours in OURS.items():
        for ends, estimates in ways.items():
            if ends == "target" and ours.option is None:
                continue
            say(f"{game.name}: {name}, {ends}")
            yield measured(game, name, ends, estimates(game, ours, range(min(seeds, ours.max_seeds))))


def study(effort: Effort, _: Path) -> Finding:
    """Measures every game."""
    seeds = effort.coverage_seeds
    found = [row for game in known_games(effort.games or GAMES) for row in measure(game, seeds)]
    return Finding("coverage", found, list(tables(found)))


def tables(found: Sequence[Row]) -> Iterator[Table]:
    """Yields a table for each estimator and end of the sample, worst player first, and one of the worst of each."""
    groups = dict.fromkeys((row.estimator, row.ends) for row in found)
    rows_of = {key: [row for row in found if (row.estimator, row.ends) == key] for key in groups}
    columns = ["game", "players", "coalitions", "RMSE", "all", "worst", "top 3", "bias ÷ bar", "by chance"]
    for (estimator, ends), mine in rows_of.items():
        seeds = max(row.seeds for row in mine)
        title = f"95 % intervals that hold the truth: {estimator}, {_words(ends)}, {seeds} seeds"
        yield table(title, columns, [_line(row) for row in sorted(mine, key=lambda row: row.worst)])
    worst = [[*key, *_worst(mine)] for key, mine in rows_of.items()]
    yield table("The worst of all games", ["estimator", "ends", *columns[4:]], worst)


def _worst(found: Sequence[Row]) -> list[str]:
    """Returns the last cells of the table of the worst: the range of pooled shares, and the worst of the others."""
    pooled = [row.pooled for row in found]
    return [
        f"{min(pooled):.1%}-{max(pooled):.1%}",
        *_shares(min(row.worst for row in found), min(row.top for row in found)),
        f"{max(row.bias for row in found):.2f}",
        f"≤ {max(row.chance for row in found):.2f}",
    ]


def _line(row: Row) -> list[str]:
    return [
        row.game,
        str(row.players),
        f"{row.coalitions:.0f}",
        f"{row.error:.4f}",
        *_shares(row.pooled, row.worst, row.top),
        f"{row.bias:.2f}",
        f"≤ {row.chance:.2f}",
    ]


def _shares(*shares: float) -> list[str]:
    return [f"{share:.1%}" for share in shares]


def _words(ends: str) -> str:
    return "at the default target" if ends == "target" else f"{ends} coalitions"
