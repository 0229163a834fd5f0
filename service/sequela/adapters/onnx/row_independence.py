"""Whether a row's score is its own: the same in every run, and the same alone as beside others.

A trial on rows that differ in kind: noise, zeros, ones, and noise of other sizes: a branch that the largest value of
the batch chooses is seen by the rows below its threshold, and what is scaled by the
batch (quantised activations, a normalisation) is moved most by the largest row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.onnx.randomness import walk_nodes
from sequela.adapters.onnx.recurrent_nodes import describe_node, is_recurrent
from sequela.adapters.onnx.session import Session
from sequela.adapters.onnx.value_names import needed_nodes
from sequela.errors import DoesNotFit
from sequela.explain.ports import Frame
from sequela.explain.result.explanation import ExplanationWarning
from sequela.timeshap.cells import Cells

ROW_SCALES = ((1.0, 0.0), (1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1 / 16, 0.0), (16.0, 0.0), (256.0, 0.0))
"""Of each row of the trial: the factor of its noise, and what is added."""
REPEATS = 4
"""Of the same row, to see whether chance plays a part."""
REPEAT_TOLERANCE = 1e-6
"""Of the largest output: what two runs of the same tensors may differ by."""
NOISE = 1e-5
"""Of the largest output of a row: what it may differ by alone and beside others. Float32 noise between batch sizes lies
well below: the models that the tests know stay below 1e-7.
"""
COARSE_NOISE: Mapping[int, float] = {TensorProto.FLOAT16: 4e-3, TensorProto.BFLOAT16: 3e-2}
"""The same where a model computes in 16 bits: a few of their last places."""
BATCH_SCALED_OPERATORS = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul"})
"""Operators that round by the largest value of the whole batch."""


@dataclass(frozen=True, slots=True, eq=False)
class RowComparison:
    """The shape of a batch's output, and how far rows alone are from it, in shares of a row's largest output."""

    shape: tuple[int, ...]
    distance: float


def compare_rows(feeder: Feeder, session: Session, cells: Cells, frame: Frame) -> RowComparison:
    """Runs rows together, alone, in pairs and again.

    Raises DoesNotFit: MODEL_NOT_DETERMINISTIC where a row gives something else when it is run again; what
    `Session.run` raises.
    """
    rows = len(cells.events[0])

    def outputs(part: slice) -> NDArray[np.float64]:
        return session.run(feeder.feeds(select_rows(cells, part), frame))

    together = outputs(slice(0, rows))
    _check_repeated(feeder, session, select_rows(cells, slice(0, 1)), frame)
    alone = np.concatenate([outputs(slice(row, row + 1)) for row in range(rows)])
    pairs = outputs(slice(rows - 2, rows))
    distances = (_distance(together, alone), _distance(pairs, alone[-2:]))
    return RowComparison(together.shape, max(distances))


def with_row_scales(cells: Cells) -> Cells:
    """As many rows as there are sizes, each float column in its row's size; ids stay."""

    def of_sizes(values: NDArray[Any]) -> NDArray[Any]:
        if values.dtype.kind != "f":
            return values
        shape = (-1,) + (1,) * (values.ndim - 1)
        factors, added = (np.reshape(column, shape) for column in zip(*ROW_SCALES, strict=True))
        resized: NDArray[Any] = values * factors + added
        return resized

    return Cells(tuple(map(of_sizes, cells.events)), tuple(map(of_sizes, cells.static)))


def select_rows(cells: Cells, part: slice) -> Cells:
    """Some rows."""
    return Cells(tuple(a[part] for a in cells.events), tuple(a[part] for a in cells.static))


def row_tolerance(model: ModelProto) -> float:
    """What counts as float noise of this model, in shares of a row's largest output."""
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    types = {tensor.data_type for tensor in model.graph.initializer}
    types |= {value.type.tensor_type.elem_type for value in values}
    types |= {
        item.i
        for node in model.graph.node
        if node.op_type == "Cast"
        for item in node.attribute
        if item.name == "to"
    }
    return max((COARSE_NOISE.get(kind, NOISE) for kind in types), default=NOISE)


def find_batch_scaling(model: ModelProto, output: str) -> str:
    """The first node that rounds by the largest value of its batch, for people; empty where there is none."""
    nodes = walk_nodes(model, needed_nodes(model.graph.node, [output]))
    return next((describe_node(node) for node in nodes if node.op_type in BATCH_SCALED_OPERATORS), "")


def single_row_warning(model: ModelProto, output: str) -> ExplanationWarning:
    """That a model's rows influence each other, and what is likely to be the reason."""
    text = "The rows of a batch influence each other in this model, so that sequences are run one at a time, "
    text += f"which takes longer. {likely_cause(model, output)}"
    return ExplanationWarning("ROWS_RUN_ONE_AT_A_TIME", text)


def likely_cause(model: ModelProto, output: str) -> str:
    """What is likely to be wrong with the export of a model whose rows influence each other."""
    scaled = find_batch_scaling(model, output)
    if scaled:
        return f"{scaled} rounds by the largest value of its batch: quantise statically, or explain the float model."
    nodes = needed_nodes(model.graph.node, [output])
    recurrent = next((node for node in walk_nodes(model, nodes) if is_recurrent(node)), None)
    if recurrent is not None:
        return f"Is batch_first=True missing in the layer that became {describe_node(recurrent)}?"
    return "Does it normalise, or take a softmax, over the batch's axis? Name the axis (dim=-1) and export again."


def _check_repeated(feeder: Feeder, session: Session, row: Cells, frame: Frame) -> None:
    # The very same tensors: where memory lies may decide the last bits of a sum.
    feeds = feeder.feeds(row, frame)
    first, *others = (session.run(feeds) for _ in range(REPEATS))
    if any(_off(first, other) > REPEAT_TOLERANCE for other in others):
        text = "the model gives another output when the same sequence is run again: export it for inference "
        text += "(model.eval(), no sampling, no noise)"
        raise DoesNotFit("MODEL_NOT_DETERMINISTIC", text)


def _off(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return _distance(one, other) if one.shape == other.shape else np.inf


def _distance(together: NDArray[np.float64], alone: NDArray[np.float64]) -> float:
    """The largest, over rows; a row that is smaller than most is measured by most rows' size."""
    if together.shape != alone.shape:
        return np.inf
    rows = len(alone)
    both = np.stack([together.reshape(rows, -1), alone.reshape(rows, -1)])
    finite = np.isfinite(both)
    if (finite[0] != finite[1]).any():
        return np.inf
    both = np.where(finite, both, 0.0)
    sizes = np.abs(both[1]).max(axis=1, initial=0.0)
    sizes = np.maximum(sizes, np.median(sizes))
    apart = np.abs(both[0] - both[1]).max(axis=1, initial=0.0)
    if (apart[sizes == 0.0] > 0.0).any():
        return np.inf
    return float((apart[sizes > 0.0] / sizes[sizes > 0.0]).max(initial=0.0))
