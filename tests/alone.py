"""Computes the true attributions of a model: onnxruntime alone runs every coalition, one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import player_sets
from brute_force import Arrays, Attributions, Scorer, attributions
from numpy.typing import NDArray
from one_thread import session

Feed = Callable[[Arrays], Mapping[str, NDArray[Any]]]
"""From one sequence's arrays, without a batch axis, to what the model's inputs take in one call."""


@dataclass(frozen=True)
class Alone:
    """A model, with a function that makes its feed from a sequence, and the place of the scores in its output."""

    onnx: bytes
    feed: Feed
    score: Callable[[NDArray[Any]], NDArray[Any]] = lambda output: output.reshape(-1)
    output: str | None = None

    def scorer(self) -> Scorer:
        """Returns a function that scores sequences, with one call of the model for each."""
        running = session(self.onnx)
        name = self.output or running.get_outputs()[0].name

        def scores(arrays: Arrays) -> NDArray[np.float64]:
            rows = len(next(iter(arrays.values())))
            found = []
            for row in range(rows):
                feed = dict(self.feed({key: values[row] for key, values in arrays.items()}))
                found.append(self.score(running.run([name], feed)[0]))
            return np.array(found, dtype=np.float64)

        return scores

    def events(
        self, x: Arrays, background: Arrays, features: Mapping[str, Mapping[str, Sequence[int]]] | None = None
    ) -> Attributions:
        """The Shapley values of events and the static player; of features where these are given."""
        static = {name: len(values) for name, values in x.items() if values.ndim == 1}
        over_events = {name: values.shape[1] for name, values in x.items() if values.ndim == 2}
        length = len(next(values for values in x.values() if values.ndim == 2))
        layout = player_sets.Layout(length, over_events, static, features or {})
        players = player_sets.features(layout) if features else player_sets.events(layout)
        return attributions(self.scorer(), x, background, players)
