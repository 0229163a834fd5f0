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
from sequela.adapters.onnx.probe import Probed, no_padding, sample
from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS, is_recurrent, shown
from sequela.adapters.onnx.session import Session
from sequela.adapters.onnx.stateful.constant_branches import check_branches, settle_branches
from sequela.adapters.onnx.stateful.label_propagation import label_values
from sequela.adapters.onnx.stateful.labels import Label, Last, Still, Timed, is_plain
from sequela.adapters.onnx.stateful.observed_values import (
    OBSERVED_ROWS,
    SHORT,
    Observed,
    observe,
    observed_lengths,
    watched,
)
from sequela.adapters.onnx.stateful.recurrence import OnnxRecurrence, Runner
from sequela.adapters.onnx.stateful.refusal import LeftWhole
from sequela.adapters.onnx.stateful.rewrite import Part, State, any_length, rewrite
from sequela.adapters.onnx.stateful.self_check import check
from sequela.adapters.onnx.value_names import captures, needed
from sequela.errors import DoesNotFit, SequelaError
from sequela.explain.schema import ModelSchema, Role
from sequela.timeshap.cells import Cells

_log = structlog.get_logger(__name__)

CHECKED = ((4, 6), (1, 300))
"""Rows and events of the check: several rows, and one as long as real ones are."""
OPAQUE = {
    **dict.fromkeys(("Loop", "Scan"), "is not taken apart into steps"),
    "DynamicQuantizeLSTM": "rounds its events by the largest among them",
}


Settled: TypeAlias = tuple[NodeProto, ...]
"""Ifs that their branches were put in the place of."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A model as it was loaded and tried. `open` opens a session for another graph with the same output, and
    its fixed batch size.
    """

    model: ModelProto
    schema: ModelSchema
    fixed_length: int | None
    feeder: Feeder
    session: Session
    probed: Probed
    open: Callable[[ModelProto, int | None], Session]

    def recurrence(self) -> OnnxRecurrence:
        """What runs the model from states, proven by structure and by trial. Raises LeftWhole."""
        self._check_trial()
        try:
            return self._checked()
        except SequelaError as error:
            raise LeftWhole(f"it fails on sequences of other lengths: {error.message}") from None
        except LeftWhole:
            raise
        except Exception as error:  # a graph written in a way nobody thought of is still good to be run whole
            _log.exception("model_not_taken_apart")
            raise LeftWhole(f"{type(error).__name__} while it was taken apart") from None

    def _check_trial(self) -> None:
        """Rows are what states are kept by; few events are what is run from them."""
        if self.fixed_length is None and min(self.probed.shapes) > min(SHORT):
            raise LeftWhole(f"it does not run on {min(SHORT)} events")
        if self.session.fixed_batch is not None:
            raise LeftWhole(f"sequences in every call: {self.session.fixed_batch}")
        if not self.probed.independent_rows:
            reason = _opaque(self._needed(self.model)) or "the rows of a batch influence each other"
            raise LeftWhole(reason)

    def _checked(self) -> OnnxRecurrence:
        nodes = self._needed(self.model)
        if not any(map(is_recurrent, nodes)):
            raise LeftWhole(_not_recurrent(nodes))
        inputs = dict(self._inputs(nodes))
        timed = [name for name, label in inputs.items() if isinstance(label, Timed)]
        model, observed, settled = self._observed(any_length(self.model, timed), ())
        labels = label_values(self._needed(model, settled), inputs, observed, _opset(model))
        check_branches(settled, labels)
        nodes = self._needed(model)
        self._check_output(labels[self.schema.output], observed)
        entering = frozenset().union(*(labels[node.input[0]].statics for node in nodes if is_recurrent(node)))
        recurrence = self._made(model, observed, entering)
        for rows, length in CHECKED:
            check(recurrence, self._whole, self._noise(rows, self.fixed_length or length))
        return recurrence

    def _noise(self, rows: int, length: int) -> Cells:
        """What the check is made on: ids that differ, where the model takes them."""
        cells = sample(self.schema.inputs, rows, length, ids=2)
        try:
            self._whole(cells)
        except DoesNotFit:
            return sample(self.schema.inputs, rows, length)
        return cells

    def _inputs(self, nodes: Sequence[NodeProto]) -> Iterator[tuple[str, Label]]:
        for sparse in self.model.graph.sparse_initializer:
            yield sparse.values.name, Still()
        used = {name for node in nodes for name in (*node.input, *captures(node))}
        for item in self.schema.inputs:
            if item.role is Role.EVENTS:
                yield item.name, Timed(frozenset(), 1)
            elif item.role is Role.STATIC:
                yield item.name, Still(frozenset({item.name}))
            elif item.role is not Role.STATE and item.name in used:
                raise LeftWhole(f"input {item.name!r} says which events are real")

    def _needed(self, model: ModelProto, settled: Settled = ()) -> list[NodeProto]:
        return needed(model.graph.node, [self.schema.output, *(node.input[0] for node in settled)])

    def _observed(self, model: ModelProto, settled: Settled) -> tuple[ModelProto, Observed, Settled]:
        """The model without branches that seem to be always taken, what its values are, and these branches."""
        watching = watched(model, self._needed(model, settled))
        feeds = {
            length: self._feeds(sample(self.schema.inputs, OBSERVED_ROWS, length))
            for length in observed_lengths(self.fixed_length)
        }
        observed = observe(watching, self.open(watching, None), feeds, self.fixed_length)
        without, more = settle_branches(model, observed)
        return self._observed(without, (*settled, *more)) if more else (model, observed, settled)

    def _feeds(self, cells: Cells) -> dict[str, NDArray[np.generic]]:
        return self.feeder.feeds(cells, no_padding(cells))

    def _check_output(self, label: Label, observed: Observed) -> None:
        shapes = observed.shapes(self.schema.output)
        if isinstance(label, Timed):
            if not (self.schema.per_event and label.axis == 1 and is_plain(label, observed, shapes)):
                raise LeftWhole("its output does not hold one step for each event")
        elif not isinstance(label, Last) or self.schema.per_event:
            raise LeftWhole("its output does not follow from the last event")

    def _made(self, model: ModelProto, observed: Observed, entering: frozenset[str]) -> OnnxRecurrence:
        made = rewrite(model, self.schema.output, observed)
        return OnnxRecurrence(
            advancing=self._runner(made.advancing, made.states),
            finishing=self._runner(made.finishing, made.states),
            scores=Scores(self.schema),
            states=made.states,
            exits=tuple(state.exit for state in made.states),
            static_enters=tuple(i.name in entering for i in self.schema.inputs if i.role is Role.STATIC),
        )

    def _runner(self, part: Part, states: tuple[State, ...]) -> Runner:
        def seen(role: Role) -> tuple[InputSignature | None, ...]:
            items = [item for item in self.schema.inputs if item.role is role]
            return tuple(self.feeder.seen(item) if item.name in part.inputs else None for item in items)

        return Runner(self.open(part.model, None), seen(Role.EVENTS), seen(Role.STATIC), states)

    def _whole(self, cells: Cells) -> NDArray[np.float64]:
        return Scores(self.schema).last(self.session.run(self._feeds(cells)))


def run_from_states(candidate: Candidate) -> tuple[OnnxRecurrence | None, str]:
    """What runs the model from states, where that is possible; and how the model is run, in words."""
    try:
        found = candidate.recurrence()
    except LeftWhole as reason:
        return None, f"whole graph: {reason}"
    return found, f"from states: {found}"


def _opset(model: ModelProto) -> int:
    return max((item.version for item in model.opset_import if item.domain in STANDARD_DOMAINS), default=1)


def _not_recurrent(nodes: Sequence[NodeProto]) -> str:
    """Some graphs recur in ways that are not taken apart."""
    return _opaque(nodes) or "it has no recurrent nodes"


def _opaque(nodes: Sequence[NodeProto]) -> str:
    return next((f"{shown(node)} {OPAQUE[node.op_type]}" for node in nodes if node.op_type in OPAQUE), "")
