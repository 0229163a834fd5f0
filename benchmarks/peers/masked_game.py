"""A game of masked players over one sequence, for explainers of functions of a plain vector."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.scorer import Scorer

ROWS = 256  # coalitions masked at a time: the masked sequences of all would not fit into memory

Coalitions = npt.NDArray[Any]
Value = Callable[[Coalitions], npt.NDArray[np.float64]]


def masked_game(job: dict[str, Any], score: Scorer) -> Value:
    """Returns a function that gives the values (k) of coalitions (k, m).

    The cells of a player in the coalition come from the sequence, and those of other players from the background.

    The job has the sequence (l, d), the background (1, d) or (l, d), and the owner of each cell, from 0 to m - 1, in
    `players` (l, d).
    """
    players = job["players"]
    background = np.broadcast_to(job["background"], job["sequence"].shape)

    def value(coalitions: Coalitions) -> npt.NDArray[np.float64]:
        scores = []
        for i in range(0, len(coalitions), ROWS):
            inside = coalitions[i : i + ROWS].astype(bool)[:, players]
            scores.append(score(np.where(inside, job["sequence"], background))[:, 0])
        return np.concatenate(scores).astype(np.float64)

    return value
