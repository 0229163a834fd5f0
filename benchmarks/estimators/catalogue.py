"""The games that estimators are measured on, by name: seventeen that are compared, and the demo's features.

Eight games have a closed form. Nine are games of models: random GRUs, the reference GRU, a Transformer, a convolution
and the model of the AReM recordings. Without the recordings, another random GRU takes the place of the last one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.arem.data import AremNotFound
from benchmarks.beside import say
from benchmarks.cases import Case, arem, convolution, demo, gru, transformer
from benchmarks.estimators import closed_form
from benchmarks.estimators.known_game import KnownGame
from benchmarks.estimators.masked_model import CaseLevels, MaskedModel, levels
from benchmarks.estimators.truths import PARTS, with_truth
from benchmarks.games import random_game
from benchmarks.peers.scorer import Scorer

FOLDER = Path(__file__).resolve().parents[2] / "build" / "estimator_games"
"""Models and true values are kept here by default."""
GRU_EVENTS, TRANSFORMER_EVENTS, CONVOLUTION_EVENTS = 47, 16, 20
"""The lengths of the sequences. A Transformer and a convolution run over all events of each coalition, which takes
long, so their sequences are short.
"""
SLOW_PARTS = PARTS // 2
"""The parts of the samples of true values of models without states."""
SEED = 7
"""The seed of the games with a closed form."""

Make = Callable[[Path], KnownGame]
"""Makes a game, with a folder for models and true values."""


@dataclass(frozen=True, slots=True)
class LevelGame:
    """A game of one level of a case.

    Attributes:
        name: The name of the game.
        case: Makes the case.
        level: One of the games of `CaseLevels`.
        parts: The parts of the sample of true values.
    """

    name: str
    case: Callable[[Path], Case]
    level: Callable[[CaseLevels], tuple[MaskedModel, int]]
    parts: int = PARTS

    def __call__(self, folder: Path) -> KnownGame:
        """Makes the game."""
        worth, players = self.level(levels(self.case(folder), folder))
        return with_truth(self.name, worth, players, folder, self.parts)


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """A game with a closed form."""

    make: closed_form.Make
    players: int

    def __call__(self, _: Path) -> KnownGame:
        """Makes the game."""
        return self.make(self.players, SEED)


@dataclass(frozen=True, slots=True)
class RandomEvents:
    """A game of the events of a random GRU, with one player for each event."""

    players: int
    seed: int

    def __call__(self, folder: Path) -> KnownGame:
        """Makes the game."""
        game = random_game(folder, self.seed, "events", self.players, self.players, 6)
        worth = partial(game.values, score=Scorer(str(game.model)))
        return with_truth(f"recurrent events {self.players}", worth, self.players, folder)


def _arem_events(folder: Path) -> KnownGame:
    try:
        return LevelGame("AReM events", lambda _: arem("cycling/4", ()), CaseLevels.events)(folder)
    except AremNotFound as missing:
        say(f"a random GRU takes the place of AReM: {missing}")
        return RandomEvents(24, seed=4)(folder)


def _gru(folder: Path) -> Case:
    return gru(folder, GRU_EVENTS)


def _transformer(folder: Path) -> Case:
    return transformer(folder, TRANSFORMER_EVENTS)


def _convolution(folder: Path) -> Case:
    return convolution(folder, CONVOLUTION_EVENTS)


COMPARED: Mapping[str, Make] = {
    "additive": ClosedForm(closed_form.additive, 30),
    "sparse": ClosedForm(closed_form.sparse, 30),
    "heavy-tailed": ClosedForm(closed_form.heavy_tailed, 30),
    "votes": ClosedForm(closed_form.votes, 20),
    "airport": ClosedForm(closed_form.airport, 30),
    "unanimity": ClosedForm(closed_form.unanimity, 20),
    "rules": ClosedForm(closed_form.rules, 30),
    "redundant": ClosedForm(closed_form.redundant, 24),
    "recurrent-events-14": RandomEvents(14, seed=1),
    "recurrent-events-30": RandomEvents(30, seed=3),
    "gru-features": LevelGame("GRU features", _gru, CaseLevels.features),
    "gru-cells": LevelGame("GRU cells", _gru, CaseLevels.cells),
    "transformer-features": LevelGame("Transformer features", _transformer, CaseLevels.features, SLOW_PARTS),
    "transformer-cells": LevelGame("Transformer cells", _transformer, CaseLevels.cells),
    "convolution-features": LevelGame("convolution features", _convolution, CaseLevels.features, SLOW_PARTS),
    "convolution-cells": LevelGame("convolution cells", _convolution, CaseLevels.cells),
    "arem-events": _arem_events,
}
"""The seventeen games on which estimators are compared."""

FURTHER: Mapping[str, Make] = {
    "demo-features": LevelGame("demo features", lambda _: demo("takeover-47", ()), CaseLevels.features),
    "convolution-cells-47": LevelGame("convolution cells, 47 events", convolution, CaseLevels.cells),
    "rules-20": ClosedForm(closed_form.rules, 20),
    "rules-40": ClosedForm(closed_form.rules, 40),
}
"""Further games, of which other studies use some."""

GAMES: Mapping[str, Make] = {**COMPARED, **FURTHER}


def known_game(name: str, folder: Path = FOLDER) -> KnownGame:
    """Returns the game with a name of `GAMES`. The folder is created if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return GAMES[name](folder)


def known_games(names: Sequence[str] = tuple(COMPARED), folder: Path = FOLDER) -> Iterator[KnownGame]:
    """Yields games one after another, by default the seventeen."""
    return (known_game(name, folder) for name in names)
