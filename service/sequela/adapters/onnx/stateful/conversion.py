"""Tries to convert a loaded model into one that is run from states: analysis, rewrite, check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import structlog
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.scores import Scores
from sequela.adapters.model_io.signature import InputSignature
from sequela.adapters.onnx.probe import ProbeResult, no_padding, sample_cells
from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS, describe_node, is_recurrent
from sequela.adapters.onnx.session import Session
from sequela.adapters.onnx.stateful import NotStateful
from sequela.adapters.onnx.stateful.constant_branches import check_inlined_branches, inline_constant_branches
from sequela.adapters.onnx.stateful.label_propagation import label_values
from sequela.adapters.onnx.stateful.observed_values import (
    OBSERVED_ROWS,
    SHORT_LENGTHS,
    ObservedValues,
    observe_values,
    observed_lengths,
    with_all_outputs,
)
from sequela.adapters.onnx.stateful.recurrence import GraphRunner, OnnxRecurrence
from sequela.adapters.onnx.stateful.rewrite import NodeState, StatefulGraph, free_time_axis, rewrite
from sequela.adapters.onnx.stateful.self_check import check_equivalence
from sequela.adapters.onnx.stateful.time_dependence import (
    Constant,
    LastEvent,
    PerEvent,
    TimeDependence,
    holds_only_events,
)
from sequela.adapters.onnx.value_names import captured_names, needed_nodes
from sequela.errors import DoesNotFit, SequelaError
from sequela.explain.schema import ModelSchema, Role
from sequela.timeshap.cells import Cells

_log = structlog.get_logger(__name__)

CHECK_SIZES = ((4, 6), (1, 300))
"""Rows and events of the final check: several short sequences, and one as long as real ones are."""
OPAQUE_OPERATORS = {
    **dict.fromkeys(("Loop", "Scan"), "is a loop, which is run whole"),
    "DynamicQuantizeLSTM": "quantises by the largest value among the events",
}
"""Operators that carry states which the graph does not expose, each with the reason for messages."""

InlinedIfs: TypeAlias = tuple[NodeProto, ...]
"""The `If` nodes that were replaced by a branch."""


@dataclass(frozen=True, slots=True, eq=False)
class StatefulConversion:
    """Converts a model that was loaded and tried.

    Attributes:
        fixed_length: The number of events that the file fixes, if it does.
        session: Runs the whole graph.
        open: Opens a session for another graph with the same output, given its fixed batch size or None.
    """

    model: ModelProto
    schema: ModelSchema
    fixed_length: int | None
    feeder: Feeder
    session: Session
    probe_result: ProbeResult
    open: Callable[[ModelProto, int | None], Session]

    def convert(self) -> OnnxRecurrence:
        """Converts the model; the result is proven by the graph's structure and checked by running it.

        Raises:
            NotStateful: The model has to be run whole.
        """
        self._check_trial()
        try:
            return self._convert()
        except SequelaError as error:
            raise NotStateful(f"it fails on sequences of other lengths: {error.message}") from None
        # This clause must come before the one for all exceptions.
        except NotStateful:
            raise
        except Exception as error:  # A graph that the analysis did not foresee can still be run whole.
            _log.exception("model analysis failed")
            raise NotStateful(f"{type(error).__name__} during the analysis of its graph") from None

    def _check_trial(self) -> None:
        """Raises NotStateful unless the model takes single rows of a few events, as states need."""
        if self.fixed_length is None and min(self.probe_result.shapes) > min(SHORT_LENGTHS):
            raise NotStateful(f"it does not run on {min(SHORT_LENGTHS)} events")
        if self.session.fixed_batch is not None:
            raise NotStateful(f"sequences in every call: {self.session.fixed_batch}")
        if not self.probe_result.independent_rows:
            reason = (
                _opaque_node(self._needed_nodes(self.model)) or "the rows of a batch influence each other"
            )
            raise NotStateful(reason)

    def _convert(self) -> OnnxRecurrence:
        nodes = self._needed_nodes(self.model)
        if not any(map(is_recurrent, nodes)):
            raise NotStateful(_opaque_node(nodes) or "it has no recurrent nodes")
        inputs = dict(self._input_labels(nodes))
        event_inputs = [name for name, label in inputs.items() if isinstance(label, PerEvent)]
        # A file with a fixed length is analysed at other lengths too: states are advanced by any number of events.
        model, observed, inlined = self._observe(free_time_axis(self.model, event_inputs), ())
        labels = label_values(self._needed_nodes(model, inlined), inputs, observed, _opset(model))
        check_inlined_branches(inlined, labels)
        nodes = self._needed_nodes(model)
        self._check_output(labels[self.schema.output], observed)
        # A static input that only the layers behind the recurrence use does not make states differ.
        entering = frozenset().union(*(labels[node.input[0]].statics for node in nodes if is_recurrent(node)))
        recurrence = self._recurrence(model, observed, entering)
        for rows, length in CHECK_SIZES:
            check_equivalence(recurrence, self._run_whole, self._noise(rows, self.fixed_length or length))
        return recurrence

    def _noise(self, rows: int, length: int) -> Cells:
        """Sequences for the final check, with different ids if the model takes them."""
        cells = sample_cells(self.schema.inputs, rows, length, ids=2)
        try:
            self._run_whole(cells)
        except DoesNotFit:
            return sample_cells(self.schema.inputs, rows, length)
        return cells

    def _input_labels(self, nodes: Sequence[NodeProto]) -> Iterator[tuple[str, TimeDependence]]:
        """Yields the labels of the graph's inputs, in the server's order of axes (so time is axis 1)."""
        for sparse in self.model.graph.sparse_initializer:
            yield sparse.values.name, Constant()
        used = {name for node in nodes for name in (*node.input, *captured_names(node))}
        for item in self.schema.inputs:
            if item.role is Role.EVENTS:
                yield item.name, PerEvent(frozenset(), 1)
            elif item.role is Role.STATIC:
                yield item.name, Constant(frozenset({item.name}))
            elif item.role is not Role.STATE and item.name in used:
                raise NotStateful(f"input {item.name!r} marks which events are real")

    def _needed_nodes(self, model: ModelProto, inlined: InlinedIfs = ()) -> list[NodeProto]:
        """Returns the nodes that compute the output, and the conditions of inlined branches, which are proven later."""
        return needed_nodes(model.graph.node, [self.schema.output, *(node.input[0] for node in inlined)])

    def _observe(
        self, model: ModelProto, inlined: InlinedIfs
    ) -> tuple[ModelProto, ObservedValues, InlinedIfs]:
        """Observes the model and inlines branches until none is left that may be constant."""
        exposed = with_all_outputs(model, self._needed_nodes(model, inlined))
        feeds = {
            length: self._feeds(sample_cells(self.schema.inputs, OBSERVED_ROWS, length))
            for length in observed_lengths(self.fixed_length)
        }
        observed = observe_values(exposed, self.open(exposed, None), feeds, self.fixed_length)
        without, more = inline_constant_branches(model, observed)
        return self._observe(without, (*inlined, *more)) if more else (model, observed, inlined)

    def _feeds(self, cells: Cells) -> dict[str, NDArray[np.generic]]:
        return self.feeder.feeds(cells, no_padding(cells))

    def _check_output(self, label: TimeDependence, observed: ObservedValues) -> None:
        shapes = observed.shapes(self.schema.output)
        if isinstance(label, PerEvent):
            if not (self.schema.per_event and label.axis == 1 and holds_only_events(label, observed, shapes)):
                raise NotStateful("its output does not hold one step for each event")
        elif not isinstance(label, LastEvent) or self.schema.per_event:
            raise NotStateful("its output does not follow from the last event")

    def _recurrence(
        self, model: ModelProto, observed: ObservedValues, entering: frozenset[str]
    ) -> OnnxRecurrence:
        """Builds the recurrence. `entering` holds the static inputs that reach a recurrent node."""
        graphs = rewrite(model, self.schema.output, observed)
        return OnnxRecurrence(
            advance_runner=self._runner(graphs.advance_graph, graphs.states),
            finish_runner=self._runner(graphs.finish_graph, graphs.states),
            scores=Scores(self.schema),
            states=graphs.states,
            state_outputs=tuple(state.output_name for state in graphs.states),
            static_enters=tuple(i.name in entering for i in self.schema.inputs if i.role is Role.STATIC),
        )

    def _runner(self, graph: StatefulGraph, states: tuple[NodeState, ...]) -> GraphRunner:
        def signatures(role: Role) -> tuple[InputSignature | None, ...]:
            items = [item for item in self.schema.inputs if item.role is role]
            return tuple(
                self.feeder.signature_of(item) if item.name in graph.inputs else None for item in items
            )

        session = self.open(graph.model, None)
        return GraphRunner(session, signatures(Role.EVENTS), signatures(Role.STATIC), states)

    def _run_whole(self, cells: Cells) -> NDArray[np.float64]:
        return Scores(self.schema).last(self.session.run(self._feeds(cells)))


def convert_to_stateful(conversion: StatefulConversion) -> tuple[OnnxRecurrence | None, str]:
    """Converts a model if that is possible.

    Returns:
        The recurrence, or None for a model that is run whole; and a text for operators that says which it is and why.
    """
    try:
        found = conversion.convert()
    except NotStateful as reason:
        return None, f"whole graph: {reason}"
    return found, f"from states: {found}"


def _opset(model: ModelProto) -> int:
    return max((item.version for item in model.opset_import if item.domain in STANDARD_DOMAINS), default=1)


def _opaque_node(nodes: Sequence[NodeProto]) -> str:
    """Returns the first node that recurs but is run whole, with the reason, or "" if there is none."""
    opaque = (node for node in nodes if node.op_type in OPAQUE_OPERATORS)
    return next((f"{describe_node(node)} {OPAQUE_OPERATORS[node.op_type]}" for node in opaque), "")
