"""The Open Inference Protocol's questions and answers, as messages: by gRPC as they are, by REST as JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sequela_proto.inference import open_inference_pb2 as oip

from sequela.api.inference import outputs
from sequela.api.inference.batch_inference import Inference, Questions
from sequela.api.inference.error_paths import of_tensors
from sequela.api.inference.metadata import metadata, version
from sequela.api.inference.outputs import OUTPUTS, SCORES, ExplainedRow
from sequela.api.inference.parameters import parameters
from sequela.api.inference.tensors import Answer, batches, rows
from sequela.concurrency.deadline import Deadline
from sequela.errors import DoesNotFit, Forbidden, Unavailable
from sequela.explain.inputs.preparation import real_steps
from sequela.explain.link import linked
from sequela.explain.option_defaults import link_of
from sequela.explain.ports import Model
from sequela.explain.request import GivenSequence
from sequela.explain.result.explanation import Explanation
from sequela.explain.service import ScoreResult
from sequela.explain.targets import first_targets

NAME = "sequela"

Row = Mapping[str, Any]
"""One row's part of every output."""


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A request that was read: the rows, and the outputs to answer."""

    asked: Questions
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class About:
    """The server itself: its version, and why it takes no calls (empty: it does)."""

    version: str
    not_ready: Callable[[], str]

    def metadata(self) -> oip.ServerMetadataResponse:
        """Name and version."""
        return oip.ServerMetadataResponse(name=NAME, version=self.version)


@dataclass(frozen=True, slots=True, eq=False)
class OpenInference:
    """One method for each question about a model; all raise what `Explainer` and `Models` raise."""

    inference: Inference
    about: About

    async def ready(self, name: str, version: str, deadline: Deadline) -> bool:
        """Whether a model would be explained now. Raises NotFound where there is none."""
        try:
            await self._model(name, version, deadline)
        except (Unavailable, DoesNotFit, Forbidden):
            return False
        return True

    async def metadata(self, name: str, version: str, deadline: Deadline) -> oip.ModelMetadataResponse:
        """What a model takes, and what it is answered with."""
        return metadata(name, await self._model(name, version, deadline), self.inference.limits)

    async def infer(self, request: oip.ModelInferRequest, deadline: Deadline) -> oip.ModelInferResponse:
        """Explains, or only scores, the rows of a request. Elements leave raw where they came raw."""
        wanted = await self.inference.looked_up(functools.partial(self._read, request, deadline), deadline)
        if set(wanted.names) <= set(SCORES):
            scored = await self.inference.scored(wanted.asked, deadline)
            made = functools.partial(_of_scores, wanted, scored)
        else:
            finish = functools.partial(_row, wanted)
            found = await self.inference.explained(wanted.asked, deadline, finish)
            made = functools.partial(_of_rows, wanted, found)
        return await self.inference.written(lambda: _response(request, wanted, *made()))

    async def _model(self, name: str, version: str, deadline: Deadline) -> Model:
        find = functools.partial(self.inference.model, name, version, of_tensors, deadline.end)
        return await self.inference.looked_up(find, deadline)

    def _read(self, request: oip.ModelInferRequest, deadline: Deadline) -> Wanted:
        limits = self.inference.limits
        said = parameters({key: _value(each) for key, each in request.parameters.items()}, limits)
        names = outputs.chosen([each.name for each in request.outputs], said.levels)
        most = limits.max_score_sequences if set(names) <= set(SCORES) else limits.max_explained_rows
        given = rows(batches(request, most))
        model = self.inference.model(request.model_name, request.model_version, of_tensors, deadline.end)
        said = said.for_outputs(first_targets(model.info.schema, limits))
        levels = outputs.needed(names, said.levels)
        return Wanted(Questions(model, given, said, of_tensors, levels), names)


def _row(wanted: Wanted, given: GivenSequence, explanation: Explanation) -> tuple[tuple[str, ...], Row]:
    """The targets, and one row's part of every output."""
    steps, real = real_steps(wanted.asked.model.info.schema, given, "sequence")
    row = ExplainedRow(explanation, steps, real)
    targets = tuple(target.name for target in explanation.targets)
    return targets, {name: OUTPUTS[name].part(row) for name in wanted.names}


def _of_rows(
    wanted: Wanted, found: Sequence[tuple[tuple[str, ...], Row]]
) -> tuple[tuple[str, ...], list[Answer]]:
    def answer(name: str) -> Answer:
        parts = [row[name] for _, row in found]
        datatype = OUTPUTS[name].datatype
        return Answer(name, datatype, parts if datatype == "BYTES" else np.stack(parts))

    return found[0][0], [answer(name) for name in wanted.names]


def _of_scores(wanted: Wanted, scored: ScoreResult) -> tuple[tuple[str, ...], list[Answer]]:
    link = link_of(wanted.asked.parameters.options, wanted.asked.model.info.schema)
    values = {"raw_score": lambda: scored.values, "score": lambda: linked(link, scored.values).values}
    return scored.targets, [Answer(name, "FP64", values[name]()) for name in wanted.names]


def _response(
    request: oip.ModelInferRequest, wanted: Wanted, targets: tuple[str, ...], answers: Sequence[Answer]
) -> oip.ModelInferResponse:
    """The columns of an answer by name are in its parameters, as a JSON list."""
    raw = bool(request.raw_input_contents)
    response = oip.ModelInferResponse(
        model_name=request.model_name,
        model_version=version(wanted.asked.model),
        id=request.id,
        outputs=[each.bare() if raw else each.typed() for each in answers],
        raw_output_contents=[each.raw() for each in answers] if raw else (),
    )
    response.parameters["targets"].string_param = json.dumps(targets)
    return response


def _value(parameter: oip.InferParameter) -> Any:
    held = parameter.WhichOneof("parameter_choice")
    return getattr(parameter, held) if held else None
