"""A model tried out when it is loaded: the order of its axes that a trial must tell, its output, its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from sequela.adapters.onnx.probe import ProbeResult, no_padding, probe, sample_cells, trial_lengths
from sequela.adapters.onnx.session import Session
from sequela.errors import DoesNotFit, InvalidInput, SequelaError
from sequela.explain.limits import Limits
from sequela.explain.schema import Axis, Role

OpenSession = Callable[[ModelProto, int | None], Session]


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """A model that ran, its inputs and its output in the server's order of axes."""

    draft: Draft
    model: ModelProto
    sizes: FixedSizes
    feeder: Feeder
    session: Session
    probe_result: ProbeResult


@dataclass(frozen=True, slots=True, eq=False)
class LoadTrial:
    """What is tried. `model` and `signature` have the model's own order of axes; `open` opens a session for a graph and
    its fixed batch size.
    """

    model: ModelProto
    output: str
    signature: Signature
    uses: Mapping[str, InputUse]
    open: OpenSession
    limits: Limits
    path: str

    def choose(self, draft: Draft) -> TrialResult:
        """The draft's first reading where it runs and its rows are independent; else the other one where that does.

        Raises InvalidInput (SCHEMA_NEEDED) where both run and either may be meant, and what `tried` raises.
        """
        if draft.alternative is None:
            return self.attempt(draft)
        try:
            first = self.attempt(draft)
        except SequelaError:
            other = self._alternative(draft.alternative)
            if other is None:
                raise
            return other
        if not first.probe_result.independent_rows and self._alternative(draft.alternative):
            raise _undecided_refusal(draft, self.path)
        return first

    def attempt(self, draft: Draft) -> TrialResult:
        """Raises InvalidInput (MODEL_TOO_LARGE, SCHEMA_DOES_NOT_FIT), DoesNotFit (MODEL_FAILED)."""
        inputs = draft.schema.inputs
        sizes = read_sizes(inputs, draft.server_signature, self.limits, draft.path)
        _check_trial_length(draft, sizes, self.limits)
        model = to_server_order(self.model, inputs, self.signature, self.uses, draft.path)
        feeder = Feeder(inputs, draft.server_signature)
        lengths = trial_lengths(sizes.length, draft.schema.trial_length, self.limits)
        if any(item.axes and Axis.BATCH not in item.axes for item in inputs):
            model = add_batch_axis(model, self.output)
        session = self.open(model, sizes.batch)
        if any(item.axes[:2] == TIME_FIRST[:2] for item in inputs):
            model, session = self._with_usual_output(model, session, feeder, lengths, sizes)
        session, probe_result = probe_rows(feeder, session, sizes, lengths)
        if steps_are_last(probe_result.shapes, draft.per_event, len(draft.schema.targets)):
            model = transpose_output(model, session.output, [0, 2, 1])
            session, probe_result = probe_rows(feeder, self.open(model, sizes.batch), sizes, lengths)
        return TrialResult(draft, model, sizes, feeder, session, probe_result)

    def _alternative(self, draft: Draft) -> TrialResult | None:
        """Where it runs, and gives each row what is its own."""
        try:
            trial = self.attempt(draft)
        except SequelaError:
            return None
        return trial if trial.probe_result.independent_rows else None

    def _with_usual_output(
        self,
        model: ModelProto,
        session: Session,
        feeder: Feeder,
        lengths: tuple[tuple[int, ...], ...],
        sizes: FixedSizes,
    ) -> tuple[ModelProto, Session]:
        """A step for each event lies along the first axis, as the events do."""
        for length in (pair[0] for pair in lengths):
            rows = sizes.batch or (2 if length == 3 else 3)
            cells = sample_cells(feeder.inputs, rows, length)
            try:
                (output,) = session.fetch([session.output], feeder.feeds(cells, no_padding(cells)))
            except DoesNotFit:
                continue
            shape = getattr(output, "shape", ())
            if len(shape) > 1 and shape[:2] == (length, rows):
                turned = transpose_output(model, session.output, [1, 0, *range(2, len(shape))])
                return turned, self.open(turned, sizes.batch)
            break
        return model, session


def probe_rows(
    feeder: Feeder, session: Session, sizes: FixedSizes, lengths: tuple[tuple[int, ...], ...]
) -> tuple[Session, ProbeResult]:
    """Some exporters declare a free batch over weights or shapes that hold for one sequence only: where a
    batch fails, sequences are tried one at a time.
    """
    try:
        return session, probe(feeder, session, lengths)
    except DoesNotFit as error:
        if sizes.batch is not None or error.reason != "MODEL_FAILED":
            raise
        failed = error
    single = replace(session, fixed_batch=1)
    try:
        return single, probe(feeder, single, lengths)
    except DoesNotFit:
        raise failed from None


def _check_trial_length(draft: Draft, sizes: FixedSizes, limits: Limits) -> None:
    told = draft.schema.trial_length
    if told is None:
        return
    if not 1 <= told <= limits.max_events:
        text = f"trial_length: is {told}, must be from 1 to the limit of {limits.max_events} events"
    elif sizes.length not in (None, told):
        text = f"trial_length: is {told}, but the model takes {sizes.length} events in every call"
    else:
        return
    raise InvalidInput.at(draft.path, "SCHEMA_DOES_NOT_FIT", text)


def _undecided_refusal(draft: Draft, path: str) -> InvalidInput:
    assert draft.alternative is not None
    turned = [
        item.name
        for item in draft.alternative.schema.inputs
        if item.axes == TIME_FIRST[: len(item.axes)] and item.axes
    ]
    usual = [
        replace(item, axes=(Axis.BATCH, Axis.TIME, Axis.FEATURES)) if item.role is Role.EVENTS else item
        for item in draft.schema.inputs
    ]
    text = (
        f"its rows influence each other if the first axis of {', '.join(map(repr, turned))} counts sequences, "
        "and do not if it counts events: probably events come first, then sequences (batch_first=False). Say so "
        "in a schema: "
        f"{entries(draft.alternative.schema.inputs)}; or, if sequences come first: {entries(usual)}"
    )
    return InvalidInput.at(path, "SCHEMA_NEEDED", text)
