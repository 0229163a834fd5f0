"""Tries a model when it is loaded: the order of its axes where only a run can show it, its output, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from onnx import ModelProto

from sequela.adapters.model_io.arrangement import TIME_FIRST
from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.fixed_sizes import FixedSizes, read_sizes
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.outputs import steps_are_last
from sequela.adapters.model_io.schema_draft import Draft
from sequela.adapters.model_io.schema_entries import entries
from sequela.adapters.model_io.signature import Signature
from sequela.adapters.onnx.input_order import add_batch_axis, to_server_order, transpose_output
from sequela.adapters.onnx.probe import (
    ProbeResult,
    check_trial_cells,
    no_padding,
    probe,
    sample_cells,
    trial_lengths,
)
from sequela.adapters.onnx.session import Session
from sequela.errors import DoesNotFit, InvalidInput, SequelaError
from sequela.explain.limits import Limits
from sequela.explain.schema import Axis, Role

OpenSession = Callable[[ModelProto, int | None], Session]
"""Opens a session for a graph and its fixed batch size."""


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """A model that ran.

    Attributes:
        draft: The reading of its schema with which it ran.
        model: The graph, with inputs and output in the server's order of axes.
        sizes: The sizes that its inputs fix.
        feeder: Makes its inputs.
        session: Runs `model`.
        probe_result: What its runs showed.
    """

    draft: Draft
    model: ModelProto
    sizes: FixedSizes
    feeder: Feeder
    session: Session
    probe_result: ProbeResult


@dataclass(frozen=True, slots=True, eq=False)
class LoadTrial:
    """Runs a model that is being loaded, to find out what its file does not say.

    Attributes:
        model: The graph with its own order of axes.
        output: The output that is explained.
        signature: The graph's inputs and outputs, with its own order of axes.
        uses: How the graph uses its inputs.
        open: Opens sessions.
        path: The field of the request that holds the model, for errors.
    """

    model: ModelProto
    output: str
    signature: Signature
    uses: Mapping[str, InputUse]
    open: OpenSession
    limits: Limits
    path: str

    def choose(self, draft: Draft) -> TrialResult:
        """Tries the draft's first reading of the axes, and its alternative if the first one does not run.

        Raises:
            InvalidInput: SCHEMA_NEEDED if both run and either may be meant; otherwise as `attempt`.
            DoesNotFit: As `attempt`.
        """
        if draft.alternative is None:
            return self.attempt(draft)
        try:
            first = self.attempt(draft)
        except SequelaError:
            alternative = self._alternative(draft.alternative)
            if alternative is None:
                raise
            return alternative
        # Rows that influence each other are what an axis of events looks like if it is taken for the batch.
        if not first.probe_result.independent_rows and self._alternative(draft.alternative):
            raise _undecided_refusal(draft, draft.alternative, self.path)
        return first

    def attempt(self, draft: Draft) -> TrialResult:
        """Tries one reading of the axes.

        Raises:
            InvalidInput: MODEL_TOO_LARGE, SCHEMA_DOES_NOT_FIT.
            DoesNotFit: MODEL_FAILED.
        """
        inputs = draft.schema.inputs
        sizes = read_sizes(inputs, draft.server_signature, self.limits, draft.path)
        _check_trial_length(draft, sizes, self.limits)
        feeder = Feeder(inputs, draft.server_signature)
        lengths = trial_lengths(sizes.length, draft.schema.trial_length, self.limits)
        lengths = check_trial_cells(lengths, inputs, draft.path)
        model = to_server_order(self.model, inputs, self.signature, self.uses, draft.path)
        # A model that takes a single sequence has no batch axis in its output either.
        if any(item.axes and Axis.BATCH not in item.axes for item in inputs):
            model = add_batch_axis(model, self.output)
        session = self.open(model, sizes.batch)
        # Must come before the probe, which expects the batch as the output's first axis.
        if any(item.axes[:2] == TIME_FIRST[:2] for item in inputs):
            model, session = self._with_batch_first_output(model, session, feeder, lengths, sizes)
        session, found = probe_rows(feeder, session, sizes, lengths)
        # Convolutions have time as their last axis, but scores are read from the second one.
        if steps_are_last(found.shapes, draft.per_event, len(draft.schema.targets)):
            model = transpose_output(model, session.output, [0, 2, 1])
            session, found = probe_rows(feeder, self.open(model, sizes.batch), sizes, lengths)
        return TrialResult(draft, model, sizes, feeder, session, found)

    def _alternative(self, draft: Draft) -> TrialResult | None:
        """Tries an alternative reading. Returns None unless the model runs and its rows are independent."""
        try:
            result = self.attempt(draft)
        except SequelaError:
            return None
        return result if result.probe_result.independent_rows else None

    def _with_batch_first_output(
        self,
        model: ModelProto,
        session: Session,
        feeder: Feeder,
        lengths: Sequence[tuple[int, ...]],
        sizes: FixedSizes,
    ) -> tuple[ModelProto, Session]:
        """Swaps the first two axes of the output if a time-first model returns its steps time-first as well."""
        for length in (group[0] for group in lengths):
            # The number of rows must differ from that of events, or the two axes look alike.
            rows = sizes.batch or (2 if length == 3 else 3)
            cells = sample_cells(feeder.inputs, rows, length)
            try:
                (output,) = session.fetch([session.output], feeder.feeds(cells, no_padding(cells)))
            except DoesNotFit:
                continue
            shape = getattr(output, "shape", ())
            if len(shape) > 1 and shape[:2] == (length, rows):
                swapped = transpose_output(model, session.output, [1, 0, *range(2, len(shape))])
                return swapped, self.open(swapped, sizes.batch)
            break
        return model, session


def probe_rows(
    feeder: Feeder, session: Session, sizes: FixedSizes, lengths: Sequence[tuple[int, ...]]
) -> tuple[Session, ProbeResult]:
    """Probes a model; if a batch fails, one sequence at a time.

    Some exporters declare a free batch although weights or shapes inside hold for one sequence only.

    Returns:
        The session, limited to one row where that was needed, and what its runs showed.
    """
    try:
        return session, probe(feeder, session, lengths)
    except DoesNotFit as error:
        if sizes.batch is not None or error.reason != "MODEL_FAILED":
            raise
        failure = error
    single = replace(session, fixed_batch=1)
    try:
        return single, probe(feeder, single, lengths)
    except DoesNotFit:
        # A single sequence fails too, so the batch was not the reason, and the first error describes the model better.
        raise failure from None


def _check_trial_length(draft: Draft, sizes: FixedSizes, limits: Limits) -> None:
    length = draft.schema.trial_length
    if length is None:
        return
    if not 1 <= length <= limits.max_events:
        text = f"trial_length: {length} is not between 1 and the limit of {limits.max_events} events (--max-events)"
    elif sizes.length not in (None, length):
        text = f"trial_length: is {length}, but the model takes {sizes.length} events in every call"
    else:
        return
    raise InvalidInput.at(draft.path, "SCHEMA_DOES_NOT_FIT", text)


def _undecided_refusal(draft: Draft, alternative: Draft, path: str) -> InvalidInput:
    """Returns the error that offers both readings as schema entries."""
    time_first = [
        repr(item.name)
        for item in alternative.schema.inputs
        if item.axes and item.axes == TIME_FIRST[: len(item.axes)]
    ]
    batch_first = [
        replace(item, axes=(Axis.BATCH, Axis.TIME, Axis.FEATURES)) if item.role is Role.EVENTS else item
        for item in draft.schema.inputs
    ]
    text = (
        f"its rows influence each other if the first axis of {', '.join(time_first)} counts sequences, and do not if "
        "it counts events. Probably events come first, then sequences (batch_first=False). If so, write in a schema: "
        f"{entries(alternative.schema.inputs)}; or, if sequences come first: {entries(batch_first)}"
    )
    return InvalidInput.at(path, "SCHEMA_NEEDED", text)
