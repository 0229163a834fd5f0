"""The operations that an engine performs with its model. Only the front sends tasks, so they may be pickled."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sequela.adapters.onnx.loader import ModelBytes
from sequela.explain.ports import PaddingRows, States
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True)
class DescribeModel:
    """Asks for the facts that loading found out."""


@dataclass(frozen=True, slots=True, eq=False)
class RunModel:
    """As `LocalModel.run`."""

    batch: Cells
    padding: PaddingRows
    output_event: int


@dataclass(frozen=True, slots=True, eq=False)
class ReadEventWeights:
    """As `LocalModel.event_weights`."""

    sequence: Cells
    padding: PaddingRows


@dataclass(frozen=True, slots=True, eq=False)
class AdvanceStates:
    """As `Recurrence.advance`."""

    batch: Cells
    states: States


@dataclass(frozen=True, slots=True, eq=False)
class FinishStates:
    """As `Recurrence.finish`."""

    batch: Cells
    states: States


ModelOperation = DescribeModel | RunModel | ReadEventWeights | AdvanceStates | FinishStates


@dataclass(frozen=True, slots=True, eq=False)
class ModelTask:
    """One call of a model.

    Attributes:
        operation: What to do.
        source: The model's files, for an engine that has not loaded them yet.
        facts: What the log lines of the engine repeat, such as the request's id.
    """

    operation: ModelOperation
    source: ModelBytes | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def question(self) -> str:
        """Returns a digest of the operation and its arrays."""
        return hashlib.sha256(pickle.dumps(self.operation, protocol=pickle.HIGHEST_PROTOCOL)).hexdigest()

    def pack(self) -> bytes:
        """Returns the task as bytes."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)
