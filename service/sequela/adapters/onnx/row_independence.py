"""Checks, by running a model, that a row's score does not depend on other rows and is the same in every run.

The rows are noise, zeros, ones, and noise of other scales. If the largest value of the batch chooses a branch, rows
below its threshold show it. If the batch scales values (dynamic quantisation, a normalisation), the largest row changes
the others most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.onnx.element_types import ELEMENT_TYPES, FLOAT_TOLERANCE
from sequela.adapters.onnx.recurrent_nodes import describe_node, is_recurrent
from sequela.adapters.onnx.session import Session, stack_rows
from sequela.adapters.onnx.subgraphs import walk_nodes
from sequela.adapters.onnx.value_names import needed_nodes
from sequela.errors import DoesNotFit
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.ports import PaddingRows
from sequela.timeshap.cells import Cells

ROW_SCALES = ((1.0, 0.0), (1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1 / 16, 0.0), (16.0, 0.0), (256.0, 0.0))
"""The factor of the noise, and the number that is added to it, for each row that is tried."""
REPEATS = 4
"""How often the same row is run to see whether its score is random."""
REPEAT_TOLERANCE = 1e-6
"""Allowed difference between two runs of the same tensors, as a share of the largest output."""
BATCH_SCALED_OPERATORS = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul"})
"""Operators that round by the largest value of the whole batch."""


@dataclass(frozen=True, slots=True, eq=False)
class RowComparison:
    """A comparison of rows in a batch with the same rows alone.

    Attributes:
        shape: The shape of the batch's output.
        distance: The largest difference, as a share of a row's largest output.
    """

    shape: tuple[int, ...]
    distance: float


def compare_rows(feeder: Feeder, session: Session, cells: Cells, padding: PaddingRows) -> RowComparison:
    """Runs rows together, alone, in a pair and again.

    Raises:
        DoesNotFit: MODEL_NOT_DETERMINISTIC if a row has another output when it is run again; otherwise as
            `Session.run`.
    """
    rows = len(cells.events[0])

    def outputs(part: slice) -> NDArray[np.float64]:
        return session.run(feeder.feeds(select_rows(cells, part), padding))

    together = outputs(slice(0, rows))
    _check_repeated(feeder, session, select_rows(cells, slice(0, 1)), padding)
    alone = stack_rows([outputs(slice(row, row + 1)) for row in range(rows)], session.output)
    # Run the two rows of the largest scales again, in a batch of another size.
    pair = outputs(slice(rows - 2, rows))
    distances = (_distance(together, alone), _distance(pair, alone[-2:]))
    return RowComparison(together.shape, max(distances))


def with_row_scales(cells: Cells) -> Cells:
    """Scales the floats of each row by its entry in ROW_SCALES. Ids stay as they are."""

    def scale(values: NDArray[Any]) -> NDArray[Any]:
        if values.dtype.kind != "f":
            return values
        shape = (-1,) + (1,) * (values.ndim - 1)
        factors, added = (np.reshape(column, shape) for column in zip(*ROW_SCALES, strict=True))
        result: NDArray[Any] = values * factors + added
        return result

    return Cells(tuple(map(scale, cells.events)), tuple(map(scale, cells.static)))


def select_rows(cells: Cells, part: slice) -> Cells:
    """Returns some of the rows."""
    return Cells(tuple(a[part] for a in cells.events), tuple(a[part] for a in cells.static))


def row_tolerance(model: ModelProto) -> float:
    """Returns the rounding noise to allow between batches: that of the coarsest type that the model computes in."""
    # Files record types in several places, and may leave out those of inner values.
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    types = {tensor.data_type for tensor in model.graph.initializer}
    types |= {value.type.tensor_type.elem_type for value in values}
    casts = (node for node in model.graph.node if node.op_type == "Cast")
    types |= {item.i for node in casts for item in node.attribute if item.name == "to"}
    known = (ELEMENT_TYPES[element].tolerance for element in types if element in ELEMENT_TYPES)
    return max(known, default=FLOAT_TOLERANCE)


def find_batch_scaling(model: ModelProto, output: str) -> str:
    """Names the first node that rounds by the largest value of its batch; empty if there is none."""
    nodes = walk_nodes(model, needed_nodes(model.graph.node, [output]))
    return next((describe_node(node) for node in nodes if node.op_type in BATCH_SCALED_OPERATORS), "")


def single_row_warning(model: ModelProto, output: str) -> ExplanationWarning:
    """Returns the warning that sequences are run one at a time, with the likely cause."""
    text = "The rows of a batch influence each other in this model, so sequences are run one at a time, "
    text += f"which takes longer. {likely_cause(model, output)}"
    return ExplanationWarning("ROWS_RUN_ONE_AT_A_TIME", text)


def likely_cause(model: ModelProto, output: str) -> str:
    """Returns what is probably wrong with the export of a model whose rows influence each other, and what to do."""
    node = find_batch_scaling(model, output)
    if node:
        return f"{node} rounds by the largest value of its batch: quantise statically, or explain the float model."
    nodes = needed_nodes(model.graph.node, [output])
    recurrent = next((node for node in walk_nodes(model, nodes) if is_recurrent(node)), None)
    if recurrent is not None:
        return f"Is batch_first=True missing in the layer that became {describe_node(recurrent)}?"
    return "Does it normalise, or apply a softmax, along the batch axis? Name the axis (dim=-1) and export again."


def _check_repeated(feeder: Feeder, session: Session, row: Cells, padding: PaddingRows) -> None:
    # The very same tensors: the memory address of a tensor may decide the last bits of a sum.
    feeds = feeder.feeds(row, padding)
    first, *others = (session.run(feeds) for _ in range(REPEATS))
    if any(_distance_or_inf(first, other) > REPEAT_TOLERANCE for other in others):
        text = "the model's output changes when the same sequence is run again: export it for inference "
        text += "(model.eval(), no sampling, no noise)"
        raise DoesNotFit("MODEL_NOT_DETERMINISTIC", text)


def _distance_or_inf(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return _distance(one, other) if one.shape == other.shape else np.inf


def _distance(together: NDArray[np.float64], alone: NDArray[np.float64]) -> float:
    """Returns the largest difference over rows, as a share of a row's largest output.

    A row that is smaller than the median row is measured by the median's size, so that rounding near 0 does not count.
    """
    if together.shape != alone.shape:
        return np.inf
    rows = len(alone)
    both = np.stack([together.reshape(rows, -1), alone.reshape(rows, -1)])
    finite = np.isfinite(both)
    if (finite[0] != finite[1]).any():
        return np.inf
    # The same elements are infinite or NaN in both, so they count as equal.
    both = np.where(finite, both, 0.0)
    sizes = np.abs(both[1]).max(axis=1, initial=0.0)
    sizes = np.maximum(sizes, np.median(sizes))
    differences = np.abs(both[0] - both[1]).max(axis=1, initial=0.0)
    # A row of zeros has no scale, so any difference counts.
    if (differences[sizes == 0.0] > 0.0).any():
        return np.inf
    return float((differences[sizes > 0.0] / sizes[sizes > 0.0]).max(initial=0.0))
