"""Scores histories with an exported file, and measures how well the scores tell the classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.churn.features import INPUT
from models.churn.histories import History


def scores(path: Path, rows: Sequence[History]) -> NDArray[np.float64]:
    """The probabilities, (n,), that an ONNX file gives to n histories."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, settings)
    found = np.empty(len(rows))
    lengths = np.array([len(row) for row in rows])
    for length in np.unique(lengths):
        alike = np.flatnonzero(lengths == length)
        months = np.stack([rows[int(index)].inputs() for index in alike])
        found[alike] = session.run(["probability"], {INPUT: months})[0][:, 0]
    return found


def area_under_curve(scored: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The AUC: the share of pairs of a positive and a negative in which the positive scores higher; ties count half.

    Args:
        scored: (n,), the scores.
        positive: (n,), the true classes.
    """
    _, place, counts = np.unique(scored, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives = int(positive.sum())
    pairs = positives * (len(positive) - positives)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / pairs)
