"""Scores of damaged models that answered, by onnxruntime alone and in a process that may crash."""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from matrix import BY_NAME
from plain_scorer import PlainScorer

EVENTS = 6


def plain_score(name: str, content: bytes) -> float | None:
    """Returns the first score of the model's sample; None if the damage has changed its inputs, outputs or metadata.

    Args:
        name: Of which committed model this is a damaged copy.
        content: The damaged file.
    """
    onnxruntime.set_default_logger_severity(4)  # damaged models cause many warnings
    case = BY_NAME[name]
    original, damaged = onnx.load(case.path), onnx.load_from_string(content)
    if _interface(original) != _interface(damaged):
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(content)
        step = 0 if case.per_event else None
        scorer = PlainScorer(path, case.inputs, case.steps, case.padding, case.batch, step)
        sample = {key: values[None] for key, values in case.sample(EVENTS).items()}
        return float(np.ravel(scorer(sample))[0])


def _interface(model: onnx.ModelProto) -> list[bytes]:
    """Returns the inputs, the outputs and the metadata of a model."""
    parts = (*model.graph.input, *model.graph.output, *model.metadata_props)
    return [part.SerializeToString() for part in parts]


class RightScores:
    """Asks another process for scores. When a model has crashed it, a new one is started."""

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
        except Exception:  # a damaged model may raise anything
            return None
        return None

    def close(self) -> None:
        """Ends the process."""
        self._pool.shutdown()
