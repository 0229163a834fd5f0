"""Scores sequences with onnxruntime alone: it pads, makes masks, and picks the step of the output by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from brute_force import Arrays
from numpy.typing import NDArray


@dataclass(frozen=True)
class Input:
    """One input of a model: its role is "events", "static", "mask" or "length"."""

    name: str
    role: str = "events"
    width: int = 1
    dtype: str = "float32"
    pad_value: float = 0.0
    categories: int | None = None  # how many ids there are, for an integer input


def session(path: Path) -> onnxruntime.InferenceSession:
    """One thread: batches of the tests are too small to share."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class PlainScorer:
    """Computes f: event inputs (n, l, width) and static inputs (n, width) to scores (n, targets) in float64.

    Attributes:
        steps: The fixed length of the model, which is padded on the left or right.
        batch: The fixed batch size of the model.
        output_event: For a model with an output for each event, the step t ≤ 0 that is read; None for other models.
    """

    def __init__(
        self,
        path: Path,
        inputs: Sequence[Input],
        steps: int | None = None,
        padding: str = "left",
        batch: int | None = None,
        output_event: int | None = None,
    ) -> None:
        self.session = session(path)
        self.ranks = {tensor.name: len(tensor.shape) for tensor in self.session.get_inputs()}
        self.inputs = inputs
        self.steps = steps
        self.padding = padding
        self.batch = batch
        self.output_event = output_event

    def __call__(self, arrays: Arrays) -> NDArray[np.float64]:
        rows, length = next(arrays[i.name].shape[:2] for i in self.inputs if i.role == "events")
        before, after = self.padded(length)
        feeds = {i.name: self.feed(i, arrays, rows, length, before, after) for i in self.inputs}
        scores = np.concatenate(
            [self.run(feeds, start, rows) for start in range(0, rows, self.batch or rows)]
        )
        if self.output_event is not None:
            scores = scores[:, before + length - 1 + self.output_event]
        return scores.reshape(rows, -1).astype(np.float64)

    def padded(self, length: int) -> tuple[int, int]:
        """How many steps of padding lie before and after the real events."""
        missing = (self.steps or length) - length
        assert missing >= 0, f"{length} events, the model takes {self.steps}"
        return (missing, 0) if self.padding == "left" else (0, missing)

    def feed(
        self, of: Input, arrays: Arrays, rows: int, length: int, before: int, after: int
    ) -> NDArray[Any]:
        if of.role == "length":
            return np.full(rows, length, dtype=of.dtype)
        if of.role == "mask":
            return np.pad(np.ones((rows, length)), ((0, 0), (before, after))).astype(of.dtype)
        values = arrays[of.name]
        if of.role == "events":
            values = np.pad(values, ((0, 0), (before, after), (0, 0)), constant_values=of.pad_value)
        rank = self.ranks[of.name]
        return (values if values.ndim == rank else values.squeeze(-1)).astype(of.dtype)

    def run(self, feeds: Mapping[str, NDArray[Any]], start: int, rows: int) -> NDArray[Any]:
        """One call of the model; a fixed batch is filled up with its first row."""
        size = self.batch or rows
        chunk = {name: values[start : start + size] for name, values in feeds.items()}
        real = len(next(iter(chunk.values())))
        filled = {
            name: np.concatenate([v, np.repeat(v[:1], size - real, axis=0)]) for name, v in chunk.items()
        }
        scores: NDArray[Any] = self.session.run(None, filled)[0]
        return scores[:real]
