"""Batches of rows. Each row is a sequence to explain or to score, with the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sequela.api.inference.parameters import PATHS, Parameters
from sequela.errors import InvalidInput
from sequela.explain.options import Level
from sequela.explain.ports import ModelInfo
from sequela.explain.request import (
    ArrayPath,
    ExplainRequest,
    GivenSequence,
    InputPaths,
    NamedArray,
    NamedModel,
    ScoreRequest,
)
from sequela.oip.tensors import Tensor

SHAPE_NOTE = "; this is the shape of one row, because the first axis is the batch"
"""Explains a message about a shape that the caller did not send, because the batch axis was forgotten."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows for one model, and the parameters for explaining them."""

    model: ModelInfo
    rows: tuple[GivenSequence, ...]
    parameters: Parameters

    @property
    def choice(self) -> NamedModel:
        """The model by its full name, so that all rows use the same version."""
        return NamedModel(self.model.name)

    def explain_requests(self, levels: tuple[Level, ...] | None = None) -> list[ExplainRequest]:
        """Returns one request per row. `levels` are the levels to compute; None for those in the parameters."""
        given = self.parameters
        options = given.options if levels is None else replace(given.options, levels=levels)
        return [
            ExplainRequest(
                self.choice,
                row,
                given.background,
                options,
                given.caller_id,
                paths=PATHS,
                dry_run=given.dry_run,
            )
            for row in self.rows
        ]

    def score_request(self) -> ScoreRequest:
        """Returns one request for all rows."""
        options = self.parameters.options
        return ScoreRequest(self.choice, self.rows, options.targets, options.output_event, PATHS)


@dataclass(frozen=True, slots=True)
class TensorPaths(InputPaths):
    """The paths of inputs in the Open Inference Protocol.

    A row is a part of every tensor and has no path of its own.
    """

    parent: str = ""

    @property
    def inputs(self) -> str:
        """The path of all tensors."""
        return "inputs"

    def array(self, index: int) -> ArrayPath:
        """Returns the paths of the tensor with this index."""
        here = f"inputs[{index}]"
        return ArrayPath(f"{here}.name", here, f"{here}.shape", here, SHAPE_NOTE)


def tensor_rows(tensors: Sequence[Tensor], most_rows: int) -> tuple[GivenSequence, ...]:
    """Splits tensors (rows, …) into rows. Raises InvalidInput if the numbers of rows differ or are too large."""
    if not tensors:
        text = "contains no tensor; send one for each input of the model"
        raise InvalidInput.at("inputs", "SEQUENCE_EMPTY", text)
    counts = {each.name: each.shape[0] for each in tensors}
    if len({each.shape[0] for each in tensors}) > 1:
        text = f"inputs have different numbers of rows: {', '.join(f'{k} {v}' for k, v in counts.items())}"
        raise InvalidInput.at("inputs", "ROWS_DIFFER", text)
    count = tensors[0].shape[0]
    check_row_count(count, most_rows, "inputs")
    paths = TensorPaths()
    return tuple(
        GivenSequence(
            tuple(NamedArray(each.name, np.asarray(each.values[row])) for each in tensors), paths=paths
        )
        for row in range(count)
    )


def check_row_count(count: int, most: int, path: str) -> None:
    """Raises InvalidInput if there are no rows (NO_ROWS), or too many (TOO_MANY_ROWS)."""
    if not count:
        raise InvalidInput.at(path, "NO_ROWS", "contains no rows; send at least one")
    if count > most:
        text = (
            f"{count} rows exceed the limit of {most} (--max-explained-rows, or --max-score-sequences if only "
            "scores are requested); send fewer"
        )
        raise InvalidInput.at(path, "TOO_MANY_ROWS", text)
