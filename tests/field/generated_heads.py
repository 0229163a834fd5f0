"""Outputs of generated models. Each knows its layout, what a schema must say about it, and where the scores are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from field.graph_builder import Graph
from numpy.typing import NDArray
from onnx import TensorProto


@dataclass(frozen=True)
class Head:
    """An output with `targets` scores of a sequence; with `per_event`, these are the scores of its last step. With
    `flat`, it has no axis of targets.
    """

    name: str
    targets: int = 1
    per_event: bool = False
    flat: bool = False
    bounded: bool = True
    schema: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, time_first: bool) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """Returns a function that finds the scores in the output of one row."""
        if not self.per_event:
            return lambda output: output.reshape(-1)
        return lambda output: np.atleast_1d(output[-1, 0] if time_first else output[0, -1]).reshape(-1)


HEADS = (
    Head("score (n, 1)"),
    Head("score (n)", flat=True),
    Head("classes (n, 3)", targets=3, bounded=False),
    Head("steps (n, l, 1)", per_event=True, schema={"per_event": True}),
    Head("steps (n, l)", per_event=True, flat=True, schema={"per_event": True}),
    Head("steps (n, l, 2)", targets=2, per_event=True, schema={"per_event": True}),
)


def add_head(graph: Graph, head: Head, values: str, width: int, time_first: bool) -> None:
    """Adds the output `score`, computed from values whose last axis has `width` columns."""
    scores = graph.linear(values, width, head.targets)
    if head.bounded:
        scores = graph.node("Sigmoid", [scores])
    if head.flat:
        scores = graph.squeezed(scores, 2 if head.per_event else 1)
    graph.node("Identity", [scores], output="score")
    rank = 1 + head.per_event + (not head.flat)
    graph.add_output("score", TensorProto.FLOAT, [None] * rank)
