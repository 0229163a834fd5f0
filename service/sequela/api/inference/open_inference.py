"""The operations of the Open Inference Protocol, as plain objects: gRPC and REST translate to and from these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from sequela.api.dataplane import DataPlane
from sequela.api.inference import outputs
from sequela.api.inference.metadata import model_metadata
from sequela.api.inference.outputs import OUTPUTS, SCORES, ExplainedRow
from sequela.api.inference.parameters import read_parameters
from sequela.api.inference.rows import Batch, tensor_rows
from sequela.concurrency.deadline import Deadline
from sequela.explain.explanation import Explanation
from sequela.explain.inputs.preparation import real_steps
from sequela.explain.link import apply_link
from sequela.explain.option_defaults import link_of
from sequela.explain.ports import ModelInfo
from sequela.explain.request import ExplainRequest, ModelChoice
from sequela.explain.service import ScoreResult
from sequela.explain.targets import first_targets
from sequela.names import model_version
from sequela.oip.datatypes import BYTES
from sequela.oip.metadata import ModelMetadata
from sequela.oip.tensors import Tensor

SERVER_NAME = "sequela"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    """An inference request.

    Attributes:
        id: The caller's own id, which is repeated in the answer.
        inputs: Tensors of shape (rows, …).
        outputs: The names of the requested outputs; empty for all.
        parameters: The parameters by name.
    """

    id: str
    inputs: Sequence[Tensor]
    outputs: Sequence[str]
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class InferenceAnswer:
    """The answer: the version of the model, the targets to which columns belong, and the output tensors."""

    id: str
    model_version: str
    targets: tuple[str, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """A decoded request that fits its model: the rows to explain, and the names of the requested outputs."""

    id: str
    batch: Batch
    names: tuple[str, ...]

    @property
    def only_scores(self) -> bool:
        """Whether none of the outputs needs an explanation."""
        return set(self.names) <= set(SCORES)

    def answer(self, targets: tuple[str, ...], tensors: Iterable[Tensor]) -> InferenceAnswer:
        """Returns the answer with these outputs."""
        return InferenceAnswer(self.id, model_version(self.batch.model.name), targets, tuple(tensors))


@dataclass(frozen=True, slots=True, eq=False)
class OutputRow:
    """One row's targets, and its part of every output by name."""

    targets: tuple[str, ...]
    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class OpenInference:
    """The operations on a model.

    Attributes:
        dataplane: Explains and scores.
        version: The server's version.
        not_ready: Returns why the server does not accept calls, or an empty string if it does.
    """

    dataplane: DataPlane
    version: str
    not_ready: Callable[[], str]

    async def metadata(self, name: str, choice: ModelChoice, deadline: Deadline) -> ModelMetadata:
        """Returns a model's inputs and outputs. `name` is repeated in the answer."""

        def describe(model: ModelInfo) -> ModelMetadata:
            return model_metadata(name, model, self.dataplane.limits)

        return await self.dataplane.read_for(choice, describe, deadline)

    async def infer(
        self,
        choice: ModelChoice,
        read: Callable[[], InferRequest],
        encode: Callable[[InferenceAnswer], T],
        deadline: Deadline,
    ) -> T:
        """Explains the rows of a request, or only scores them if no other output is requested.

        `read` is called after the model has been found, so that a body for an unknown model is not parsed.
        """
        inference = await self.dataplane.read_for(choice, partial(self._inference, read), deadline)
        batch = inference.batch
        make: Callable[[], InferenceAnswer]
        if inference.only_scores:
            scored = await self.dataplane.score_rows(batch.score_request(), _identity, deadline)
            make = partial(_of_scores, inference, scored)
        else:
            levels = outputs.levels_for(inference.names, batch.parameters.levels)
            row = partial(_row, inference)
            rows = await self.dataplane.explain_batch(batch.explain_requests(levels), row, deadline)
            make = partial(_of_rows, inference, rows)
        # Large tensors take long to build and to encode, so both happen in the executor's thread.
        return await self.dataplane.write(lambda: encode(make()))

    def _inference(self, read: Callable[[], InferRequest], model: ModelInfo) -> Inference:
        request, limits = read(), self.dataplane.limits
        parameters = read_parameters(request.parameters, limits)
        names = outputs.choose(request.outputs, parameters.levels)
        # Scoring a row takes one run of the model, and explaining it may take thousands.
        most = limits.max_score_sequences if set(names) <= set(SCORES) else limits.max_explained_rows
        rows = tensor_rows(request.inputs, most)
        targets = first_targets(model.schema, limits)
        batch = Batch(model, rows, parameters.with_default_targets(targets))
        return Inference(request.id, batch, names)


def _identity(scored: ScoreResult) -> ScoreResult:
    return scored


def _row(inference: Inference, request: ExplainRequest, explanation: Explanation) -> OutputRow:
    steps, real = real_steps(inference.batch.model.schema, request.sequence)
    row = ExplainedRow(explanation, steps, real)
    targets = tuple(target.name for target in explanation.targets)
    return OutputRow(targets, {name: OUTPUTS[name].part(row) for name in inference.names})


def _of_rows(inference: Inference, rows: Sequence[OutputRow]) -> InferenceAnswer:
    def tensor(name: str) -> Tensor:
        parts = [row.parts[name] for row in rows]
        datatype = OUTPUTS[name].datatype
        return Tensor(name, datatype, parts if datatype == BYTES else np.stack(parts))

    return inference.answer(rows[0].targets, map(tensor, inference.names))


def _of_scores(inference: Inference, scored: ScoreResult) -> InferenceAnswer:
    batch = inference.batch
    link = link_of(batch.parameters.options, batch.model.schema)
    values = {"raw_score": lambda: scored.values, "score": lambda: apply_link(link, scored.values).values}
    tensors = (Tensor(name, OUTPUTS[name].datatype, values[name]()) for name in inference.names)
    return inference.answer(scored.targets, tensors)
