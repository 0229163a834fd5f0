"""A model run from states, by onnxruntime."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.feeds import to_input_array
from sequela.adapters.model_io.scores import Scores
from sequela.adapters.model_io.signature import InputSignature
from sequela.adapters.onnx.session import Session
from sequela.adapters.onnx.stateful.rewrite import NodeState
from sequela.explain.ports import States
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class GraphRunner:
    """A graph from states. `events` and `static` are its inputs in the order of `Cells`; None where it does
    not take one.
    """

    session: Session
    events: tuple[InputSignature | None, ...]
    static: tuple[InputSignature | None, ...]
    states: tuple[NodeState, ...]

    def feeds(self, batch: Cells, states: States) -> dict[str, NDArray[Any]]:
        """Values by name."""
        feeds = {
            seen.name: to_input_array(values, seen)
            for seen, values in zip(self.events, batch.events, strict=True)
            if seen is not None
        }
        for seen, values in zip(self.static, batch.static, strict=True):
            if seen is not None:
                feeds[seen.name] = to_input_array(values, seen)
        for state, values in zip(self.states, states, strict=True):
            feeds[state.input_name] = np.ascontiguousarray(values, dtype=state.initial.dtype)[None]
        return feeds


@dataclass(frozen=True, slots=True, eq=False)
class OnnxRecurrence:
    """Implements `explain.ports.Recurrence`. `exits` are the states' outputs."""

    advance_runner: GraphRunner
    finish_runner: GraphRunner
    scores: Scores
    states: tuple[NodeState, ...]
    state_outputs: tuple[str, ...]
    static_enters: tuple[bool, ...]

    def __str__(self) -> str:
        """`GRU, LSTM (2 states, …)`"""
        return ", ".join(dict.fromkeys(state.node for state in self.states))

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Those it runs."""
        return self.advance_runner.session, self.finish_runner.session

    def initial(self, rows: int) -> States:
        """As in `Recurrence.initial`."""
        return tuple(np.repeat(state.initial[None], rows, axis=0) for state in self.states)

    def advance(self, batch: Cells, states: States, until: float = math.inf) -> States:
        """As in `Recurrence.advance`. The head is not computed."""
        left = self.advance_runner.session.fetch(
            self.state_outputs, self.advance_runner.feeds(batch, states), until
        )
        return tuple(state[0] for state in left)

    def finish(self, batch: Cells, states: States, until: float = math.inf) -> NDArray[np.float64]:
        """As in `Recurrence.finish`."""
        return self.scores.last(
            self.finish_runner.session.run(self.finish_runner.feeds(batch, states), until)
        )
