"""True Shapley values of games of models, kept in files, so that a second run needs no time for them.

A game of few players is evaluated completely. Its table of values is kept as well, and answers in place of the model.
A larger game is sampled with many times the coalitions of any budget, and a surrogate takes most of the noise away
(surrogate.py). The sample has several parts of different seeds, whose spread gives the standard errors.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.beside import say
from benchmarks.estimators.known_game import Coalitions, Floats, KnownGame, Worth, exact
from benchmarks.estimators.pair_values import all_coalitions, sampled, shapley_values
from benchmarks.estimators.surrogate import Surrogate, fit

MAX_TABLE_PLAYERS = 18
"""Games of up to this many players are evaluated completely: 262,144 coalitions."""
PARTS = 8
PART_COALITIONS = 1 << 16
"""The number of coalitions of each part of a sample."""
PROBES = 32
ROWS = 1024
"""The number of coalitions for which the surrogate is computed at once."""
FIRST_SEED = 1_000_000
"""The seeds of true values lie above those of the estimators that are compared with them."""


@dataclass(frozen=True, eq=False)
class TableGame:
    """A game of few players, by the values of all its coalitions, in the order of `all_coalitions`."""

    table: Floats

    def __call__(self, coalitions: Coalitions) -> Floats:
        """Returns the values (n,) of coalitions (n, m)."""
        return self.table[coalitions @ (1 << np.arange(coalitions.shape[1]))]


def with_truth(name: str, worth: Worth, players: int, folder: Path, parts: int = PARTS) -> KnownGame:
    """Returns the game of a model with its true Shapley values, from a file of an earlier run if there is one.

    Args:
        name: The name of the game.
        worth: Returns values of coalitions.
        players: The number of players.
        folder: Where the files are.
        parts: The number of parts of the sample, if the game is too large for a table.
    """
    path = folder / f"{name.replace(' ', '_').replace(',', '')}-{_digest(worth, players, parts)}.npz"
    known = _read(path, name, worth) or _measured(name, worth, players, parts)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        table = known.worth.table if isinstance(known.worth, TableGame) else np.empty(0)
        np.savez_compressed(path, truth=known.truth, errors=known.truth_errors, table=table)
    return known


def _read(path: Path, name: str, worth: Worth) -> KnownGame | None:
    if not path.exists():
        return None
    with np.load(path) as kept:
        found = KnownGame(name, worth, kept["truth"], kept["errors"])
        return replace(found, worth=TableGame(kept["table"])) if len(kept["table"]) else found


def _measured(name: str, worth: Worth, players: int, parts: int) -> KnownGame:
    say(f"{name}: true values, {players} players")
    if players <= MAX_TABLE_PLAYERS:
        game = TableGame(worth(all_coalitions(players)))
        return exact(name, game, shapley_values(game.table))
    surrogate = fit(worth, players, FIRST_SEED)
    found = np.array([_part(worth, players, surrogate, FIRST_SEED + 1 + part) for part in range(parts)])
    return KnownGame(name, worth, found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(parts))


def _part(worth: Worth, players: int, surrogate: Surrogate, seed: int) -> Floats:
    """Returns the Shapley values from one part of the sample, (m,)."""

    def rest(coalitions: Coalitions) -> Floats:
        parts = np.array_split(coalitions, range(ROWS, len(coalitions), ROWS))
        return np.concatenate([worth(z) - surrogate(z) for z in parts])

    return surrogate.attributions() + sampled(rest, players, PART_COALITIONS, seed).values[:, 0]


def _digest(worth: Worth, players: int, parts: int) -> str:
    """Identifies a game by its values of some coalitions, rounded, since models differ in the last bits by machine."""
    probes = np.random.default_rng(players).random((PROBES, players)) < 0.5
    values = np.round(worth(probes), 4) + 0.0
    effort = np.array([players, parts, PART_COALITIONS])
    return hashlib.sha256(values.tobytes() + effort.tobytes()).hexdigest()[:12]
