"""How many coalitions a true root mean square error of 0.005 takes, by each of our estimators.

The number is the smallest of a grid, each √2 times the one before, at which the error over all players and seeds is at
most that. It is not the number at which an estimator would stop, which depends on its error bars.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
from rich.table import Table
from sequela.timeshap.coalitions import all_coalitions, minimum_budget

from benchmarks.beside import say
from benchmarks.effort import Effort
from benchmarks.estimators.catalogue import known_games
from benchmarks.estimators.known_game import KnownGame
from benchmarks.estimators.ours import BASE, OURS, Estimate
from benchmarks.growth import rms
from benchmarks.report import Finding, table

WANTED = 0.005
"""The root mean square error, in units of the score."""
MOST = 1 << 16
"""The largest number of coalitions that is tried."""
GAMES = (
    "demo-features",
    "gru-features",
    "gru-cells",
    "convolution-cells-47",
    "arem-events",
    "transformer-features",
)


@dataclass(frozen=True, slots=True)
class Row:
    """The coalitions that one estimator needs for one game.

    Attributes:
        game: The name of the game.
        players: Its number of players.
        estimator: The name of the estimator.
        coalitions: The number of coalitions; 0 if the largest one that was tried is not enough.
        error: The error with that number.
        saved: How many times as many the regression needs; NaN if that is not known.
    """

    game: str
    players: int
    estimator: str
    coalitions: int
    error: float
    saved: float


def grid(players: int) -> tuple[int, ...]:
    """Returns even numbers of coalitions, from the smallest budget up, each about √2 times the one before."""
    steps = (2 * round(minimum_budget(players) * 2 ** (step / 2 - 1)) for step in range(64))
    return tuple(takewhile(lambda n: n <= min(MOST, all_coalitions(players)), steps))


def needed(game: KnownGame, estimate: Estimate, seeds: range) -> tuple[int, float]:
    """Returns the number of coalitions that is needed, and the error with it; 0 if no number is enough."""
    for budget in grid(game.players):
        found = [estimate(game, game.players, budget, seed).values[:, 0] for seed in seeds]
        error = rms(np.stack(found) - game.truth)
        if error <= WANTED:
            return budget, error
    return 0, error


def measure(game: KnownGame, seeds: range) -> Iterator[Row]:
    """Measures all of our estimators on one game, the base estimator first."""
    base = 0
    for name, ours in OURS.items():
        say(f"{game.name}: {name}")
        count, error = needed(game, ours.estimate, seeds)
        base = count if name == BASE else base
        saved = base / count if base and count else float("nan")
        yield Row(game.name, game.players, name, count, error, saved)


def study(effort: Effort, _: Path) -> Finding:
    """Measures every game."""
    seeds = range(effort.seeds)
    found = [row for game in known_games(effort.games or GAMES) for row in measure(game, seeds)]
    return Finding("rows", found, [row_table(found)])


def row_table(found: Sequence[Row]) -> Table:
    """Returns the table, with the numbers of coalitions and how many times fewer than the base estimator's they are."""
    names = list(dict.fromkeys(row.estimator for row in found))
    games = dict.fromkeys((row.game, row.players) for row in found)
    by = {(row.game, row.estimator): row for row in found}

    def cell(row: Row) -> str:
        count = str(row.coalitions) if row.coalitions else f"> {MOST}"
        return count if row.estimator == BASE else f"{count} ({row.saved:.1f}×)"

    lines = [[game, str(players), *(cell(by[game, name]) for name in names)] for game, players in games]
    return table(f"Coalitions for a root mean square error of {WANTED}", ["game", "players", *names], lines)
