"""From bytes to a model that can be run: read, refuse, find the schema, open a session, try it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import onnxruntime
import structlog
from onnx import ModelProto

from sequela.adapters.model_io.assumptions import assumptions
from sequela.adapters.model_io.default_background import default_background
from sequela.adapters.model_io.output_choice import choose_output
from sequela.adapters.model_io.outputs import output_layout
from sequela.adapters.model_io.schema_draft import complete_schema, draft_schema
from sequela.adapters.onnx.batch_first import with_time_first
from sequela.adapters.onnx.class_labels import ClassLabels
from sequela.adapters.onnx.file import read_onnx
from sequela.adapters.onnx.graph_signature import read_signature
from sequela.adapters.onnx.input_uses import input_uses
from sequela.adapters.onnx.load_trial import LoadTrial
from sequela.adapters.onnx.mask_trial import with_mask_meaning
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.onnx.output_bounds import is_bounded
from sequela.adapters.onnx.output_values import with_plain_outputs
from sequela.adapters.onnx.probe import ProbeResult
from sequela.adapters.onnx.provider import ExecutionProvider, active_providers, is_active
from sequela.adapters.onnx.randomness import refuse_randomness
from sequela.adapters.onnx.row_independence import (
    find_batch_scaling,
    likely_cause,
    row_tolerance,
    single_row_warning,
)
from sequela.adapters.onnx.session import Session, open_session
from sequela.adapters.onnx.stateful.conversion import StatefulConversion, convert_to_stateful
from sequela.adapters.onnx.work import step_work
from sequela.errors import DoesNotFit
from sequela.explain.identity import model_digest
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelInfo
from sequela.explain.result.explanation import ExplanationWarning
from sequela.explain.schema import InputSchema, Role

_log = structlog.get_logger(__name__)


BATCH = "sequences in every call"


@dataclass(frozen=True)
class ModelBytes:
    """A model as it came, and where its two parts stand in the request, for errors to name."""

    onnx: bytes = field(repr=False)
    schema_json: bytes = field(repr=False)
    onnx_path: str
    schema_path: str

    @cached_property
    def digest(self) -> str:
        """As in `identity.model_digest`."""
        return model_digest(self.onnx, self.schema_json)


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads models under the server's limits. `threads` is the size of each session's thread pools."""

    limits: Limits = field(default_factory=Limits)
    threads: int = 1
    provider: ExecutionProvider = ExecutionProvider.CPU

    def load(self, name: str, source: ModelBytes) -> OnnxModel:
        """The model, self-checked.

        Raises InvalidInput for bytes and schemas that are wrong (reasons: see the modules called here),
        DoesNotFit where the model does not run.
        """
        file = read_onnx(source.onnx, self.limits, source.onnx_path)
        plain = with_plain_outputs(file.model)
        graph = read_signature(plain, source.onnx_path)
        model = with_time_first(plain)
        uses = input_uses(model, graph)
        draft = draft_schema(
            file.metadata, graph, source.schema_json, self.limits, source.onnx_path, source.schema_path, uses
        )
        choice = choose_output(draft.schema.output, graph.outputs, draft.path, source.onnx_path)
        output = choice.output
        refuse_randomness(plain, output, source.onnx_path)
        open_graph = partial(self._open, source.onnx_path, output)
        trial = LoadTrial(model, output, graph, uses, open_graph, self.limits, source.onnx_path).choose(draft)
        trial, about_masks = with_mask_meaning(trial)
        draft, model, sizes, feeder = trial.draft, trial.model, trial.sizes, trial.feeder
        session, probe_result = _with_independent_rows(model, trial.session, trial.probe_result)
        if not is_active(self.provider, session.runtime):
            _log.warning(
                "execution_provider_not_used",
                model=name,
                wanted=self.provider.value,
                used=active_providers(session.runtime),
            )
        told = len(draft.schema.targets)
        layout = output_layout(probe_result.shapes, output, draft.per_event, told, self.limits, draft.path)
        labelled = ClassLabels.of(file.model, output)
        schema = complete_schema(
            draft, file.metadata, output, labelled.named(layout), is_bounded(plain, output)
        )
        conversion = StatefulConversion(
            model, schema, sizes.length, feeder, session, probe_result, open_graph
        )
        recurrence, how = convert_to_stateful(conversion)
        execution = _execution(how, schema.inputs, sizes.length, session, self.threads, probe_result)
        _log.info("model_loaded", model=name, digest=source.digest, execution=execution)
        info = ModelInfo(
            name=name,
            digest=source.digest,
            schema=schema,
            fixed_length=sizes.length,
            default_background=default_background(schema, self.limits, draft.path),
            warnings=(
                *choice.warnings,
                *labelled.warnings,
                *assumptions(draft, graph, uses, probe_result.independent_rows),
                *about_masks,
                *_row_warnings(model, output, probe_result),
            ),
        )
        return OnnxModel(
            info=info,
            execution=execution,
            size=len(source.onnx) * (len(recurrence.sessions) + 1 if recurrence else 1),
            feeder=feeder,
            session=session,
            step_work=step_work(model),
            recurrence=recurrence,
            trial_lengths=tuple(probe_result.shapes),
        )

    def _open(self, path: str, output: str, model: ModelProto, batch: int | None) -> Session:
        content = model.SerializeToString()
        session = open_session(content, output, batch, self.threads, self.limits, path, self.provider)
        return replace(session, row_tolerance=row_tolerance(model))


def _with_independent_rows(
    model: ModelProto, session: Session, probe_result: ProbeResult
) -> tuple[Session, ProbeResult]:
    """Where rows influence each other, one is run at a time.

    Raises DoesNotFit (MODEL_ROWS_COUPLED) where the model takes several in every call.
    """
    scaled = find_batch_scaling(model, session.output)
    if probe_result.independent_rows and not scaled:
        return session, probe_result
    if session.fixed_batch not in (None, 1) and not scaled:
        text = (
            f"the {session.fixed_batch} sequences that the model takes in every call influence each other; "
        )
        text += f"export it with a batch of 1. {likely_cause(model, session.output)}"
        raise DoesNotFit("MODEL_ROWS_COUPLED", text)
    return replace(session, most_rows=1), replace(probe_result, independent_rows=False)


def _row_warnings(
    model: ModelProto, output: str, probe_result: ProbeResult
) -> tuple[ExplanationWarning, ...]:
    return () if probe_result.independent_rows else (single_row_warning(model, output),)


def _execution(
    how: str,
    inputs: Sequence[InputSchema],
    length: int | None,
    session: Session,
    threads: int,
    probe_result: ProbeResult,
) -> str:
    facts = [
        how,
        f"onnxruntime {onnxruntime.__version__}, {active_providers(session.runtime)}, threads: {threads}",
    ]
    if length is not None:
        facts.append(f"events in every call: {length}")
    if session.fixed_batch is not None and BATCH not in how:
        facts.append(f"{BATCH}: {session.fixed_batch}")
    for item in inputs:
        if item.axes:
            facts.append(f"input {item.name!r} is turned to ({', '.join(item.axes)})")
        if item.role is Role.STATE:
            facts.append(f"input {item.name!r} starts from {item.initial:g}")
    if not probe_result.independent_rows:
        facts.append("one sequence in every call: the rows of a batch influence each other")
    return "; ".join(facts)
