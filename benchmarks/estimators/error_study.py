"""Errors at equal numbers of coalitions: our estimators beside those of shapiq, on seventeen games.

Errors are root mean squares over players and seeds, relative to the root mean square attribution. Below `EXACT`, where
games without noise are solved up to rounding, all errors count as equal; otherwise a geometric mean would be decided by
which estimator rounds best.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.beside import say
from benchmarks.effort import Effort
from benchmarks.estimators.catalogue import COMPARED, FOLDER, known_games
from benchmarks.estimators.known_game import Coalitions, Floats, KnownGame
from benchmarks.estimators.ours import OURS
from benchmarks.growth import rms
from benchmarks.peers.estimator_process import SHAPIQ, EstimatorProcess
from benchmarks.peers.jobs import ROOT
from benchmarks.report import Finding, table

BUDGETS = (512, 2048)
EXACT = 0.001
NEAR = 1.2
"""An error counts as near the best one if it is at most this many times as large."""

Found = Mapping[str, Floats]
"""The attributions (seeds, m) by the names of the estimators."""


@dataclass(frozen=True, slots=True)
class Row:
    """The error of one estimator on one game.

    Attributes:
        game: The name of the game.
        players: Its number of players.
        budget: The number of coalitions.
        estimator: The name of the estimator.
        error: The error relative to the root mean square attribution.
    """

    game: str
    players: int
    budget: int
    estimator: str
    error: float

    @property
    def counted(self) -> float:
        """The error that comparisons use."""
        return max(self.error, EXACT)


class PeerCache:
    """Estimates of shapiq, kept in files, since they do not change with our code.

    The process is started for the first estimate that is not in a file.
    """

    def __init__(self, stack: ExitStack, folder: Path = FOLDER / "peers") -> None:
        self._stack, self._folder = stack, folder
        self._process: EstimatorProcess | None = None
        self._requirements = (ROOT / "requirements" / "shapiq.txt").read_bytes()

    def estimates(self, estimator: str, game: KnownGame, budget: int, seeds: range) -> Floats:
        """Returns the attributions of all seeds, (seeds, m)."""
        path = self._path(estimator, game, budget, seeds)
        if not path.exists():
            found = [self._estimate(estimator, game, budget, seed) for seed in seeds]
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.stack(found))
        kept: Floats = np.load(path)
        return kept

    def _estimate(self, estimator: str, game: KnownGame, budget: int, seed: int) -> Floats:
        if self._process is None:
            self._process = self._stack.enter_context(EstimatorProcess.shapiq())
        found = self._process.estimate(estimator, game, game.players, budget, seed)
        if found.coalitions > budget:
            say(f"{estimator} took {found.coalitions} coalitions of {game.name} instead of {budget}")
        return found.attributions

    def _path(self, estimator: str, game: KnownGame, budget: int, seeds: range) -> Path:
        probes: Coalitions = np.random.default_rng(0).random((16, game.players)) < 0.5
        values = np.round(game(probes), 4) + 0.0
        key = f"{estimator} {budget} {seeds}".encode() + values.tobytes() + self._requirements
        return self._folder / f"{game.name}-{hashlib.sha256(key).hexdigest()[:12]}.npy".replace(" ", "_")


def measure(game: KnownGame, budget: int, seeds: range, peers: PeerCache) -> list[Row]:
    """Measures all estimators on one game."""
    say(f"{game.name}: {budget} coalitions")
    found: dict[str, Floats] = {}
    for name, ours in OURS.items():
        each = [ours.estimate(game, game.players, budget, seed) for seed in seeds]
        found[name] = np.stack([solution.values[:, 0] for solution in each])
    found |= {name: peers.estimates(name, game, budget, seeds) for name in SHAPIQ}
    return rows(game, budget, found)


def rows(game: KnownGame, budget: int, found: Found) -> list[Row]:
    """Returns the errors of attributions (seeds, m) by estimator."""
    return [
        Row(game.name, game.players, budget, name, rms(values - game.truth) / game.scale)
        for name, values in found.items()
    ]


def study(effort: Effort, _: Path) -> Finding:
    """Compares errors at each budget."""
    names = effort.games or tuple(COMPARED)
    seeds = range(effort.compared_seeds)
    with ExitStack() as stack:
        peers = PeerCache(stack)
        found = [
            row for game in known_games(names) for n in BUDGETS for row in measure(game, n, seeds, peers)
        ]
    return Finding("estimators", found, [error_table(found, n) for n in BUDGETS])


def error_table(found: Sequence[Row], budget: int) -> Table:
    """Returns the table of one number of coalitions, in percent, with a summary of each estimator below it."""
    mine = [row for row in found if row.budget == budget]
    games = list(dict.fromkeys((row.game, row.players) for row in mine))
    names = list(dict.fromkeys(row.estimator for row in mine))
    by = {(row.game, row.estimator): row for row in mine}
    best = {game: min(by[game, name].counted for name in names) for game, _ in games}

    def cell(row: Row) -> str:
        return f"{100 * row.error:.2f}{' *' if row.counted <= NEAR * best[row.game] else ''}"

    lines = [[game, str(players), *(cell(by[game, name]) for name in names)] for game, players in games]
    lines.append([f"within {NEAR} of best", "", *(str(near_best(mine, name)) for name in names)])
    lines += [
        [f"over {ours}", "", *(f"{ratio(mine, name, ours):.2f}" for name in names)]
        for ours in names
        if ours in OURS
    ]
    title = f"Errors at {budget} coalitions, % of the rms attribution; * at most {NEAR} of the best one"
    # Long names take two lines, so that the table fits a terminal.
    return table(title, ["game", "players", *(name.replace(" ", "\n") for name in names)], lines)


def near_best(found: Iterable[Row], estimator: str) -> int:
    """Returns in how many games an estimator is the best one, or its error is at most `NEAR` times as large."""
    errors = _by_game(found)
    return sum(each[estimator] <= NEAR * min(each.values()) for each in errors.values())


def ratio(found: Iterable[Row], estimator: str, ours: str) -> float:
    """Returns the geometric mean, over games, of an estimator's error divided by the error of one of ours."""
    errors = _by_game(found)
    return float(np.exp(np.mean([np.log(each[estimator] / each[ours]) for each in errors.values()])))


def _by_game(found: Iterable[Row]) -> dict[str, dict[str, float]]:
    errors: dict[str, dict[str, float]] = {}
    for row in found:
        errors.setdefault(row.game, {})[row.estimator] = row.counted
    return errors
