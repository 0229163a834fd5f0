"""A model that is run from saved states by onnxruntime."""

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
    """Runs one rewritten graph.

    Attributes:
        events: The graph's event inputs in the order of `Cells.events`; None for one that it does not take.
        static: The same for `Cells.static`.
        states: Its states, in the order in which callers hand them over.
    """

    session: Session
    events: tuple[InputSignature | None, ...]
    static: tuple[InputSignature | None, ...]
    states: tuple[NodeState, ...]

    def feeds(self, batch: Cells, states: States) -> dict[str, NDArray[Any]]:
        """Returns the graph's inputs by name."""
        signatures, given = (*self.events, *self.static), (*batch.events, *batch.static)
        feeds = {
            signature.name: to_input_array(values, signature)
            for signature, values in zip(signatures, given, strict=True)
            if signature is not None
        }
        for state, values in zip(self.states, states, strict=True):
            # [None] adds the axis of directions, which is 1.
            feeds[state.input_name] = np.ascontiguousarray(values, dtype=state.initial.dtype)[None]
        return feeds


@dataclass(frozen=True, slots=True, eq=False)
class OnnxRecurrence:
    """Implements `explain.ports.Recurrence` with two graphs.

    Attributes:
        advance_runner: From states to states; the layers behind the recurrent ones are not computed.
        finish_runner: From states to the output.
        state_outputs: The names of the outputs that hold the states.
        static_enters: For each static input, whether it reaches a recurrent node and so the states.
    """

    advance_runner: GraphRunner
    finish_runner: GraphRunner
    scores: Scores
    states: tuple[NodeState, ...]
    state_outputs: tuple[str, ...]
    static_enters: tuple[bool, ...]

    def __str__(self) -> str:
        """Returns the recurrent nodes: `GRU '/gru/GRU', LSTM '/lstm/LSTM'`."""
        return ", ".join(dict.fromkeys(state.node for state in self.states))

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The two sessions that it holds."""
        return self.advance_runner.session, self.finish_runner.session

    def initial(self, rows: int) -> States:
        """As in `Recurrence.initial`."""
        return tuple(np.repeat(state.initial[None], rows, axis=0) for state in self.states)

    def advance(self, batch: Cells, states: States, until: float = math.inf) -> States:
        """As in `Recurrence.advance`."""
        feeds = self.advance_runner.feeds(batch, states)
        left = self.advance_runner.session.fetch(self.state_outputs, feeds, until)
        # [0] removes the axis of directions again.
        return tuple(state[0] for state in left)

    def finish(self, batch: Cells, states: States, until: float = math.inf) -> NDArray[np.float64]:
        """As in `Recurrence.finish`."""
        feeds = self.finish_runner.feeds(batch, states)
        return self.scores.last(self.finish_runner.session.run(feeds, until))
