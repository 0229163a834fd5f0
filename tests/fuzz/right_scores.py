"""Scores of damaged models that answered, by onnxruntime alone and in a process that may crash."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from matrix import BY_NAME
from plain_scorer import PlainScorer

EVENTS = 6


def plain_score(name: str, content: bytes) -> float | None:
    """Returns the first score of the model's sample; None if the model takes or gives something else by now.

    Args:
        name: Of which committed model this is a damaged copy.
        content: The damaged file.
    """
    onnxruntime.set_default_logger_severity(4)  # it warns of much that is damaged
    case = BY_NAME[name]
    original, damaged = onnx.load(case.path), onnx.load_from_string(content)
    if _door(original) != _door(damaged):
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(content)
        step = 0 if case.per_event else None
        scorer = PlainScorer(path, case.inputs, case.steps, case.padding, case.batch, step)
        sample = {key: values[None] for key, values in case.sample(EVENTS).items()}
        return float(np.ravel(scorer(sample))[0])


def _door(model: onnx.ModelProto) -> list[bytes]:
    """What the model takes and gives, and what it says about that."""
    parts = (*model.graph.input, *model.graph.output, *model.metadata_props)
    return [part.SerializeToString() for part in parts]


class RightScores:
    """Asks another process for scores. It is started anew when a model has ended it."""

    def __init__(self) -> None:
        self._pool = self._start()

    @staticmethod
    def _start() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    def of(self, name: str, content: bytes) -> float | None:
        """Returns the score; None if there is none to compare with."""
        try:
            return self._pool.submit(plain_score, name, content).result()
        except BrokenProcessPool:
            self._pool = self._start()
        except Exception:  # what the models raise is not known beforehand
            return None
        return None

    def close(self) -> None:
        """Ends the process."""
        self._pool.shutdown()


@contextmanager
def right_scores() -> Iterator[RightScores]:
    """Starts the process, and ends it at the end."""
    scores = RightScores()
    try:
        yield scores
    finally:
        scores.close()
