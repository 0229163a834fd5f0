"""Computes the true attributions: onnxruntime runs every coalition of events, one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brute_force import Arrays, Player, attributions
from numpy.typing import NDArray
from one_thread import session

Feed = Callable[[NDArray[Any]], Mapping[str, NDArray[Any]]]
"""From one sequence (l, d) to all inputs of the model, with a batch of one."""


@dataclass(frozen=True)
class Truth:
    """The base value, the score and the attribution of every event, oldest first."""

    base: float
    score: float
    events: NDArray[np.float64]


def alone(sequence: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    """Feeds the only input, `x`."""
    return {"x": sequence[None].astype(np.float32)}


def truth(
    content: bytes,
    sequence: NDArray[Any],
    background: NDArray[Any] | None = None,
    feed: Feed = alone,
    output: str | None = None,
    column: int = 0,
) -> Truth:
    """Computes exact Shapley values of the events of a sequence (l, d). The background is an event (d), or 0."""
    running = session(content)
    names = [output] if output else [running.get_outputs()[0].name]

    def one(row: NDArray[Any]) -> float:
        found = running.run(names, dict(feed(row)))[0]
        return float(np.asarray(found, dtype=np.float64).reshape(-1)[column])

    def scores(arrays: Arrays) -> NDArray[np.float64]:
        return np.array([[one(row)] for row in arrays["x"]])

    length, width = sequence.shape
    absent = np.zeros(width) if background is None else background
    players = [
        Player(("event", at), frozenset(("x", at, column) for column in range(width))) for at in range(length)
    ]
    found = attributions(
        scores, {"x": sequence}, {"x": np.tile(absent, (length, 1)).astype(sequence.dtype)}, players
    )
    return Truth(float(found.base[0]), float(found.score[0]), found.values[:, 0])
