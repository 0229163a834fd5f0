"""Loads a model: from the bytes of its file to an `OnnxModel`. The package's docstring lists the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import structlog
from onnx import ModelProto

from sequela.adapters.model_io.assumptions import assumptions
from sequela.adapters.model_io.default_background import default_background
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.output_choice import OutputChoice, choose_output
from sequela.adapters.model_io.outputs import output_layout
from sequela.adapters.model_io.schema_draft import Draft, complete_schema, draft_schema
from sequela.adapters.model_io.signature import Signature
from sequela.adapters.onnx.batch_first import with_time_first
from sequela.adapters.onnx.class_labels import ClassLabels
from sequela.adapters.onnx.event_weights import (
    EventWeightReader,
    event_weight_reader,
    find_event_weights,
)
from sequela.adapters.onnx.execution_text import execution_text
from sequela.adapters.onnx.file import OnnxFile, read_onnx
from sequela.adapters.onnx.graph_signature import read_signature
from sequela.adapters.onnx.input_uses import input_uses
from sequela.adapters.onnx.load_trial import LoadTrial, TrialResult
from sequela.adapters.onnx.mask_trial import with_mask_meaning
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.onnx.output_bounds import is_bounded
from sequela.adapters.onnx.output_values import with_plain_outputs
from sequela.adapters.onnx.padding_inputs import padding_input_warnings
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
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import DoesNotFit, InvalidInput, SequelaError
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.identity import model_digest
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelInfo
from sequela.explain.schema import ModelSchema

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ModelBytes:
    """A model as it was sent or read.

    Attributes:
        onnx: The bytes of the ONNX file.
        schema_json: The bytes of its schema.json; empty if there is none.
        onnx_path, schema_path: The paths of the two in the request, for errors.
    """

    onnx: bytes = field(repr=False)
    schema_json: bytes = field(repr=False)
    onnx_path: str
    schema_path: str

    @cached_property
    def digest(self) -> str:
        """The model's digest, computed by `identity.model_digest`."""
        return model_digest(self.onnx, self.schema_json)


@dataclass(frozen=True, slots=True, eq=False)
class ModelGraph:
    """Steps 1 to 5: what the file says.

    Attributes:
        file: The file as it is.
        plain: Its graph with tensors of numbers as outputs.
        runnable: `plain` with recurrent nodes that onnxruntime can run.
        signature: The inputs and outputs of `plain`.
        uses: How the graph uses its inputs.
    """

    file: OnnxFile
    plain: ModelProto
    runnable: ModelProto
    signature: Signature
    uses: Mapping[str, InputUse]


@dataclass(frozen=True, slots=True, eq=False)
class ModelDraft:
    """Step 6: the schema as far as it is known before the model runs, and the output that is explained."""

    draft: Draft
    choice: OutputChoice

    @property
    def output(self) -> str:
        """The name of the output."""
        return self.choice.output


@dataclass(frozen=True, slots=True, eq=False)
class ModelTrial:
    """Steps 8 to 10: the model as it ran, how to open sessions for other graphs, and warnings about its padding."""

    result: TrialResult
    open: partial[Session]
    padding_warnings: tuple[ExplanationWarning, ...]


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads models under the server's limits.

    Attributes:
        threads: The size of each session's thread pools.
        provider: What sessions compute on.
    """

    limits: Limits = field(default_factory=Limits)
    threads: int = 1
    provider: ExecutionProvider = ExecutionProvider.CPU

    def load(self, name: str, source: ModelBytes, deadline: Deadline | None = None) -> OnnxModel:  # noqa: ARG002
        """Loads a model and tries it out. This cannot be interrupted, so the deadline is ignored.

        Raises:
            InvalidInput: The bytes or the schema are wrong. The functions that are called here list the reasons.
                MODEL_NOT_UNDERSTOOD if reading the graph fails in an unforeseen way; the log has the details.
            DoesNotFit: The model does not run.
        """
        try:
            return self._load(name, source)
        except (SequelaError, DeadlinePassed):
            raise
        except Exception as error:  # the caller's file is the cause, so it must not count as our failure
            self._refuse_what_does_not_open(source)
            _log.exception("model not understood", model=name, digest=source.digest)
            text = f"the server cannot read this model ({type(error).__name__}); its log has the details under the "
            text += f"digest {source.digest}"
            raise InvalidInput.at(source.onnx_path, "MODEL_NOT_UNDERSTOOD", text) from None

    def _refuse_what_does_not_open(self, source: ModelBytes) -> None:
        """Raises InvalidInput if onnxruntime refuses the file too, since its message describes the mistake best."""
        try:
            content = read_onnx(source.onnx, self.limits, source.onnx_path).content
            open_session(content, "", None, self.threads, self.limits, source.onnx_path, self.provider)
        except SequelaError:
            raise
        except Exception:  # the same failure as before
            return

    def _load(self, name: str, source: ModelBytes) -> OnnxModel:
        graph = self._read_graph(source)
        interface = self._find_interface(graph, source)
        refuse_randomness(graph.plain, interface.output, source.onnx_path)
        trial = self._try(graph, interface, source)
        schema = self._complete_schema(graph, interface, trial)
        self._log_unused_provider(name, trial.result.session)
        model = self._assemble(name, source, graph, interface, trial, schema)
        # At debug, because each engine loads the model too. The process that serves it logs it once.
        _log.debug("model loaded", model=name, digest=source.digest, execution=model.execution)
        return model

    def _read_graph(self, source: ModelBytes) -> ModelGraph:
        file = read_onnx(source.onnx, self.limits, source.onnx_path)
        plain = with_plain_outputs(file.model)
        signature = read_signature(plain, source.onnx_path)
        runnable = with_time_first(plain)
        return ModelGraph(file, plain, runnable, signature, input_uses(runnable, signature))

    def _find_interface(self, graph: ModelGraph, source: ModelBytes) -> ModelDraft:
        draft = draft_schema(
            graph.file.metadata,
            graph.signature,
            source.schema_json,
            self.limits,
            source.onnx_path,
            source.schema_path,
            graph.uses,
        )
        outputs, weights = graph.signature.outputs, draft.schema.event_weights
        if weights:
            find_event_weights(weights, outputs, draft.path)
            refuse_randomness(graph.plain, weights, source.onnx_path)
        choice = choose_output(draft.schema.output, outputs, draft.path, source.onnx_path, weights)
        return ModelDraft(draft, choice)

    def _try(self, graph: ModelGraph, interface: ModelDraft, source: ModelBytes) -> ModelTrial:
        open_graph = partial(self._open, source.onnx_path, interface.output)
        trial = LoadTrial(
            graph.runnable,
            interface.output,
            graph.signature,
            graph.uses,
            open_graph,
            self.limits,
            source.onnx_path,
        )
        # Masks come after the order of axes, which their trial runs need.
        result, mask_warnings = with_mask_meaning(trial.choose(interface.draft))
        warnings = (*mask_warnings, *padding_input_warnings(result))
        return ModelTrial(_with_independent_rows(result), open_graph, warnings)

    def _complete_schema(self, graph: ModelGraph, interface: ModelDraft, trial: ModelTrial) -> ModelSchema:
        draft, output = trial.result.draft, interface.output
        layout = output_layout(
            trial.result.probe_result.shapes,
            output,
            draft.per_event,
            len(draft.schema.targets),
            self.limits,
            draft.path,
        )
        layout = ClassLabels.of(graph.file.model, output).name_columns(layout)
        return complete_schema(draft, graph.file.metadata, output, layout, is_bounded(graph.plain, output))

    def _assemble(
        self,
        name: str,
        source: ModelBytes,
        graph: ModelGraph,
        interface: ModelDraft,
        trial: ModelTrial,
        schema: ModelSchema,
    ) -> OnnxModel:
        result = trial.result
        recurrence, mode = convert_to_stateful(
            StatefulConversion(
                result.model,
                schema,
                result.sizes.length,
                result.feeder,
                result.session,
                result.probe_result,
                trial.open,
            )
        )
        info = ModelInfo(
            name=name,
            digest=source.digest,
            schema=schema,
            fixed_length=result.sizes.length,
            default_background=default_background(schema, self.limits, result.draft.path),
            warnings=_warnings(graph, interface, trial),
        )
        return OnnxModel(
            info=info,
            execution=execution_text(mode, schema.inputs, result, self.threads),
            # Each session holds its own copy of the weights.
            size=len(source.onnx) * (len(recurrence.sessions) + 1 if recurrence else 1),
            feeder=result.feeder,
            session=result.session,
            step_work=step_work(result.model),
            recurrence=recurrence,
            trial_lengths=tuple(result.probe_result.shapes),
            weight_reader=_weight_reader(schema, result),
        )

    def _open(self, path: str, output: str, model: ModelProto, batch: int | None) -> Session:
        # onnxruntime opens sessions from bytes, and the graph may have been rewritten.
        content = model.SerializeToString()
        session = open_session(content, output, batch, self.threads, self.limits, path, self.provider)
        return replace(session, row_tolerance=row_tolerance(model))

    def _log_unused_provider(self, name: str, session: Session) -> None:
        if not is_active(self.provider, session.runtime):
            _log.warning(
                "execution provider not used",
                model=name,
                wanted=self.provider.value,
                used=active_providers(session.runtime),
            )


def _weight_reader(schema: ModelSchema, trial: TrialResult) -> EventWeightReader | None:
    if not schema.event_weights:
        return None
    lengths = tuple(trial.probe_result.shapes)
    return event_weight_reader(schema.event_weights, trial.feeder, trial.session, lengths, trial.draft.path)


def _with_independent_rows(trial: TrialResult) -> TrialResult:
    """Limits a model whose rows influence each other to one row a call.

    Raises:
        DoesNotFit: MODEL_ROWS_COUPLED if such a model takes several rows in every call.
    """
    session, found = trial.session, trial.probe_result
    scaled = find_batch_scaling(trial.model, session.output)
    if found.independent_rows and not scaled:
        return trial
    # A fixed batch is filled up with copies of one row. Copies leave the batch's largest value as it is, so a model
    # that scales by this value (`scaled`) can still be run.
    if session.fixed_batch not in (None, 1) and not scaled:
        text = (
            f"the model takes {session.fixed_batch} sequences in every call, and they influence each other; "
        )
        text += f"export it with a batch of 1. {likely_cause(trial.model, session.output)}"
        raise DoesNotFit("MODEL_ROWS_COUPLED", text)
    return replace(
        trial, session=replace(session, max_rows=1), probe_result=replace(found, independent_rows=False)
    )


def _warnings(graph: ModelGraph, interface: ModelDraft, trial: ModelTrial) -> tuple[ExplanationWarning, ...]:
    """Returns warnings about what was assumed or noticed, in the order of the steps."""
    result, output = trial.result, interface.output
    independent = result.probe_result.independent_rows
    return (
        *interface.choice.warnings,
        *ClassLabels.of(graph.file.model, output).warnings,
        *assumptions(result.draft, graph.signature, graph.uses, independent),
        *trial.padding_warnings,
        *(() if independent else (single_row_warning(result.model, output),)),
    )
