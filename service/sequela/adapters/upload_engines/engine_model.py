"""A model that runs in an engine, as the explainer sees it. The engine gives numbers, and decides nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.upload_engines.engine_client import EngineClient, same_shapes
from sequela.adapters.upload_engines.model_tasks import (
    AdvanceStates,
    FinishStates,
    ModelOperation,
    ReadEventWeights,
    RunModel,
)
from sequela.explain.ports import ModelInfo, PaddingRows, Recurrence, States
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class EngineCalls:
    """Calls one model, and checks the arrays that come back.

    Attributes:
        client: Sends the calls.
        source: The model's files, for engines that have not loaded it.
    """

    client: EngineClient
    source: ModelBytes

    def numbers(self, operation: ModelOperation, shape: tuple[int, ...], until: float) -> NDArray[np.float64]:
        """Returns one array of finite float64 numbers of this shape."""
        arrays = self.client.run(self.source, operation, until)
        if not same_shapes(arrays, [(shape, "<f8")]) or not np.isfinite(arrays[0]).all():
            self.client.reject(self.source.digest, _shapes(arrays))
        return arrays[0]

    def states(self, operation: ModelOperation, like: States, rows: int, until: float) -> States:
        """Returns the states of this many rows, with the sizes and types of `like`."""
        arrays = self.client.run(self.source, operation, until)
        if not same_shapes(arrays, [((rows, *state.shape[1:]), state.dtype.str) for state in like]):
            self.client.reject(self.source.digest, _shapes(arrays))
        return arrays


@dataclass(frozen=True, slots=True, eq=False)
class EngineRecurrence:
    """Implements `explain.ports.Recurrence`.

    Attributes:
        calls: Calls the model.
        static_enters: As in `Recurrence`.
        first: The states of one row before the first event.
        outputs: How many outputs the model has.
    """

    calls: EngineCalls
    static_enters: tuple[bool, ...]
    first: States
    outputs: int

    def initial(self, rows: int) -> States:
        """As in `Recurrence.initial`."""
        return tuple(np.repeat(state, rows, axis=0) for state in self.first)

    def advance(self, batch: Cells, states: States, until: float = math.inf) -> States:
        """As in `Recurrence.advance`."""
        return self.calls.states(AdvanceStates(batch, states), self.first, len(states[0]), until)

    def finish(self, batch: Cells, states: States, until: float = math.inf) -> NDArray[np.float64]:
        """As in `Recurrence.finish`."""
        return self.calls.numbers(FinishStates(batch, states), (len(states[0]), self.outputs), until)


@dataclass(frozen=True, slots=True, eq=False)
class EngineModel:
    """Implements `explain.ports.LocalModel`.

    Attributes:
        info: The model's name, schema and other properties.
        execution: How the model is run, as a text for operators.
        size: The bytes that it counts with in the cache.
        calls: Calls the model.
        step_work: About how many multiply-adds one event takes.
        recurrence: Runs the model from states, if that is possible.
    """

    info: ModelInfo
    execution: str
    size: int
    calls: EngineCalls
    step_work: int
    recurrence: Recurrence | None

    def with_name(self, name: str) -> EngineModel:
        """Returns the same model under another name."""
        return replace(self, info=replace(self.info, name=name))

    def unload(self) -> None:
        """Ends the idle engines that have loaded it."""
        self.calls.client.pool.retire(self.info.digest)

    @property
    def endpoint(self) -> None:
        """None, since it runs on this machine."""
        return None

    def work(self, events: int) -> int:
        """As in `LocalModel.work`."""
        return max(self.step_work * events, 1)

    def run(
        self, batch: Cells, padding: PaddingRows, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        """As in `LocalModel.run`."""
        shape = (_rows(batch), len(self.info.schema.targets))
        return self.calls.numbers(RunModel(batch, padding, output_event), shape, until)

    def event_weights(
        self, sequence: Cells, padding: PaddingRows, until: float = math.inf
    ) -> NDArray[np.float64] | None:
        """As in `LocalModel.event_weights`."""
        if not self.info.schema.event_weights:
            return None
        return self.calls.numbers(ReadEventWeights(sequence, padding), (sequence.length,), until)


def _rows(batch: Cells) -> int:
    return len(batch.events[0])


def _shapes(arrays: tuple[NDArray[Any], ...]) -> str:
    found = ", ".join(f"{array.dtype.str} {array.shape}" for array in arrays[:8])
    return f"{len(arrays)} arrays: {found}"
