"""Finds out whether a model can be run from states, and makes what runs it so."""

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
"""Rows and events of the check: several rows, and one as long as real ones are."""
OPAQUE_OPERATORS = {
    **dict.fromkeys(("Loop", "Scan"), "is not taken apart into steps"),
    "DynamicQuantizeLSTM": "rounds its events by the largest among them",
}


InlinedIfs: TypeAlias = tuple[NodeProto, ...]
"""Ifs that their branches were put in the place of."""


@dataclass(frozen=True, slots=True, eq=False)
class StatefulConversion:
    """A model as it was loaded and tried. `open` opens a session for another graph with the same output, and
    its fixed batch size.
    """

    model: ModelProto
    schema: ModelSchema
    fixed_length: int | None
    feeder: Feeder
    session: Session
    probe_result: ProbeResult
    open: Callable[[ModelProto, int | None], Session]

    def recurrence(self) -> OnnxRecurrence:
        """What runs the model from states, proven by structure and by trial. Raises LeftWhole."""
        self._check_trial()
        try:
            return self._checked()
        except SequelaError as error:
            raise NotStateful(f"it fails on sequences of other lengths: {error.message}") from None
        except NotStateful:
            raise
        except Exception as error:  # a graph written in a way nobody thought of is still good to be run whole
            _log.exception("model_not_taken_apart")
            raise NotStateful(f"{type(error).__name__} while it was taken apart") from None

    def _check_trial(self) -> None:
        """Rows are what states are kept by; few events are what is run from them."""
        if self.fixed_length is None and min(self.probe_result.shapes) > min(SHORT_LENGTHS):
            raise NotStateful(f"it does not run on {min(SHORT_LENGTHS)} events")
        if self.session.fixed_batch is not None:
            raise NotStateful(f"sequences in every call: {self.session.fixed_batch}")
        if not self.probe_result.independent_rows:
            reason = _opaque_node(self._needed(self.model)) or "the rows of a batch influence each other"
            raise NotStateful(reason)

    def _checked(self) -> OnnxRecurrence:
        nodes = self._needed(self.model)
        if not any(map(is_recurrent, nodes)):
            raise NotStateful(_not_recurrent(nodes))
        inputs = dict(self._inputs(nodes))
        timed = [name for name, label in inputs.items() if isinstance(label, PerEvent)]
        model, observed, inlined = self._observed(free_time_axis(self.model, timed), ())
        labels = label_values(self._needed(model, inlined), inputs, observed, _opset(model))
        check_inlined_branches(inlined, labels)
        nodes = self._needed(model)
        self._check_output(labels[self.schema.output], observed)
        entering = frozenset().union(*(labels[node.input[0]].statics for node in nodes if is_recurrent(node)))
        recurrence = self._made(model, observed, entering)
        for rows, length in CHECK_SIZES:
            check_equivalence(recurrence, self._whole, self._noise(rows, self.fixed_length or length))
        return recurrence

    def _noise(self, rows: int, length: int) -> Cells:
        """What the check is made on: ids that differ, where the model takes them."""
        cells = sample_cells(self.schema.inputs, rows, length, ids=2)
        try:
            self._whole(cells)
        except DoesNotFit:
            return sample_cells(self.schema.inputs, rows, length)
        return cells

    def _inputs(self, nodes: Sequence[NodeProto]) -> Iterator[tuple[str, TimeDependence]]:
        for sparse in self.model.graph.sparse_initializer:
            yield sparse.values.name, Constant()
        used = {name for node in nodes for name in (*node.input, *captured_names(node))}
        for item in self.schema.inputs:
            if item.role is Role.EVENTS:
                yield item.name, PerEvent(frozenset(), 1)
            elif item.role is Role.STATIC:
                yield item.name, Constant(frozenset({item.name}))
            elif item.role is not Role.STATE and item.name in used:
                raise NotStateful(f"input {item.name!r} says which events are real")

    def _needed(self, model: ModelProto, inlined: InlinedIfs = ()) -> list[NodeProto]:
        return needed_nodes(model.graph.node, [self.schema.output, *(node.input[0] for node in inlined)])

    def _observed(
        self, model: ModelProto, inlined: InlinedIfs
    ) -> tuple[ModelProto, ObservedValues, InlinedIfs]:
        """The model without branches that seem to be always taken, what its values are, and these branches."""
        watching = with_all_outputs(model, self._needed(model, inlined))
        feeds = {
            length: self._feeds(sample_cells(self.schema.inputs, OBSERVED_ROWS, length))
            for length in observed_lengths(self.fixed_length)
        }
        observed = observe_values(watching, self.open(watching, None), feeds, self.fixed_length)
        without, more = inline_constant_branches(model, observed)
        return self._observed(without, (*inlined, *more)) if more else (model, observed, inlined)

    def _feeds(self, cells: Cells) -> dict[str, NDArray[np.generic]]:
        return self.feeder.feeds(cells, no_padding(cells))

    def _check_output(self, label: TimeDependence, observed: ObservedValues) -> None:
        shapes = observed.shapes(self.schema.output)
        if isinstance(label, PerEvent):
            if not (self.schema.per_event and label.axis == 1 and holds_only_events(label, observed, shapes)):
                raise NotStateful("its output does not hold one step for each event")
        elif not isinstance(label, LastEvent) or self.schema.per_event:
            raise NotStateful("its output does not follow from the last event")

    def _made(self, model: ModelProto, observed: ObservedValues, entering: frozenset[str]) -> OnnxRecurrence:
        rewritten = rewrite(model, self.schema.output, observed)
        return OnnxRecurrence(
            advance_runner=self._runner(rewritten.advance_graph, rewritten.states),
            finish_runner=self._runner(rewritten.finish_graph, rewritten.states),
            scores=Scores(self.schema),
            states=rewritten.states,
            state_outputs=tuple(state.output_name for state in rewritten.states),
            static_enters=tuple(i.name in entering for i in self.schema.inputs if i.role is Role.STATIC),
        )

    def _runner(self, part: StatefulGraph, states: tuple[NodeState, ...]) -> GraphRunner:
        def seen(role: Role) -> tuple[InputSignature | None, ...]:
            items = [item for item in self.schema.inputs if item.role is role]
            return tuple(self.feeder.seen(item) if item.name in part.inputs else None for item in items)

        return GraphRunner(self.open(part.model, None), seen(Role.EVENTS), seen(Role.STATIC), states)

    def _whole(self, cells: Cells) -> NDArray[np.float64]:
        return Scores(self.schema).last(self.session.run(self._feeds(cells)))


def convert_to_stateful(candidate: StatefulConversion) -> tuple[OnnxRecurrence | None, str]:
    """What runs the model from states, where that is possible; and how the model is run, in words."""
    try:
        found = candidate.recurrence()
    except NotStateful as reason:
        return None, f"whole graph: {reason}"
    return found, f"from states: {found}"


def _opset(model: ModelProto) -> int:
    return max((item.version for item in model.opset_import if item.domain in STANDARD_DOMAINS), default=1)


def _not_recurrent(nodes: Sequence[NodeProto]) -> str:
    """Some graphs recur in ways that are not taken apart."""
    return _opaque_node(nodes) or "it has no recurrent nodes"


def _opaque_node(nodes: Sequence[NodeProto]) -> str:
    return next(
        (
            f"{describe_node(node)} {OPAQUE_OPERATORS[node.op_type]}"
            for node in nodes
            if node.op_type in OPAQUE_OPERATORS
        ),
        "",
    )
