"""The models of docs/exporting.md as the tests expect them, and their attributions by brute force.

For the brute force, onnxruntime runs every coalition, one sequence at a time, in the layout of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brute_force
import numpy as np
import onnxruntime
from brute_force import Arrays, Attributions, Player
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent / "fixtures" / "exported"
Feed = Callable[[NDArray[Any]], NDArray[Any]]


def as_it_is(events: NDArray[Any]) -> NDArray[Any]:
    """Returns the events in the usual layout, (n, l, d)."""
    return events


def time_first(events: NDArray[Any]) -> NDArray[Any]:
    return events.transpose(1, 0, 2)


def channels_first(events: NDArray[Any]) -> NDArray[Any]:
    return events.transpose(0, 2, 1)


@dataclass(frozen=True)
class Exported:
    """A model of the page.

    Attributes:
        events: Its event input, which has three columns.
        score: The output that is explained.
        feed: Converts (n, l, d) to the layout of the model.
        more: The sequence and the background of each other input.
        steps: Its fixed length, if it has one; sequences are padded with zeros on the left.
        zeros: The inputs that are states, with their shapes for one sequence.
        length: The length of the sequence that the tests explain.
        missing: The cells of that sequence that are NaN.
    """

    name: str
    events: str = "events"
    score: str = "fraud"
    feed: Feed = as_it_is
    more: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)
    steps: int | None = None
    zeros: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    length: int = 5
    missing: tuple[tuple[int, int], ...] = ()
    targets: int = 1

    def __str__(self) -> str:
        return self.name

    @property
    def sequence(self) -> dict[str, NDArray[Any]]:
        """Returns the sequence by input: events (l, d), static inputs (s)."""
        events = np.random.default_rng(3).normal(size=(self.length, 3)).astype(np.float32)
        for cell in self.missing:
            events[cell] = np.nan
        return {self.events: events, **{name: own for name, (own, _) in self.more.items()}}

    @property
    def background(self) -> dict[str, NDArray[Any]]:
        """Returns the background by input: one event, or static values."""
        event = np.array([0.3, -0.2, 0.1], np.float32)
        return {self.events: event, **{name: other for name, (_, other) in self.more.items()}}

    def truth(self, folder: Path) -> Attributions:
        """Computes the attributions of every event, and of all static inputs together, for the model in a folder."""
        scorer = self._scorer(folder)
        x = {
            name: array[:, None] if array.ndim == 1 and len(array) == self.length else array
            for name, array in self.sequence.items()
        }
        other = {
            name: np.tile(self.background[name], (self.length, 1))
            if array.ndim == 2
            else self.background[name]
            for name, array in x.items()
        }
        return brute_force.attributions(scorer, x, other, list(self._players(x)))

    def _players(self, x: Arrays) -> list[Player]:
        cells = {name: range(array.shape[-1]) for name, array in x.items()}
        timed = [name for name, array in x.items() if array.ndim == 2]
        events = [
            Player(
                ("event", place + 1 - self.length), frozenset((n, place, c) for n in timed for c in cells[n])
            )
            for place in range(self.length)
        ]
        static = frozenset((name, None, c) for name in x.keys() - timed for c in cells[name])
        return [*events, Player(("static",), static)] if static else events

    def _scorer(self, folder: Path) -> brute_force.Scorer:
        session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        return lambda arrays: np.concatenate(
            [
                self._one(session, {name: array[row : row + 1] for name, array in arrays.items()})
                for row in range(len(arrays[self.events]))
            ]
        )

    def _one(self, session: onnxruntime.InferenceSession, arrays: Arrays) -> NDArray[np.float64]:
        """Scores one sequence, (1, targets)."""
        events = arrays[self.events]
        padding = (self.steps or self.length) - self.length
        feeds = {
            name: array.squeeze(-1) if array.dtype == np.int64 else array for name, array in arrays.items()
        }
        feeds[self.events] = self.feed(np.pad(events, ((0, 0), (padding, 0), (0, 0))))
        feeds |= {name: np.zeros(shape, np.float32) for name, shape in self.zeros.items()}
        (score,) = session.run([self.score], feeds)
        return np.asarray(score, np.float64).reshape(1, self.targets)


KIND = (np.array([0, 1, 0, 3, 2]), np.array([4]))
PROFILE = (np.array([0.3, -1.0], np.float32), np.array([0.0, 0.5], np.float32))
MODELS = (
    Exported("pytorch"),
    Exported("older-exporter"),
    Exported("channels-first", feed=channels_first),
    Exported("time-first", feed=time_first),
    Exported("states", zeros={"h0": (1, 1, 8)}),
    Exported("several-inputs", more={"kind": KIND, "profile": PROFILE}),
    Exported("missing-values", missing=((1, 2), (3, 0))),
    Exported("fixed-length", steps=12),
    Exported("lightning"),
    Exported("keras", score="Identity:0"),
    Exported("tensorflow"),
    Exported("scikit-learn", events="window", score="probabilities", length=6, targets=2),
    Exported("lightgbm", events="window", score="probabilities", length=6, targets=2),
)
BY_NAME = {model.name: model for model in MODELS}
