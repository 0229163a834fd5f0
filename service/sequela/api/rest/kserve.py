"""KServe's V1 protocol: `:explain` and `:predict` for instances, which may have different lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, InstanceOf
from starlette.responses import Response
from starlette.routing import Route

from sequela.api.dataplane import DataPlane
from sequela.api.encode.explanations import explanation_json
from sequela.api.inference.parameters import read_parameters
from sequela.api.inference.rows import SHAPE_NOTE, Batch, check_row_count
from sequela.api.rest.http_call import HttpCall
from sequela.api.rest.json_bodies import JsonBody, json_path, read_body
from sequela.api.rest.middleware import RouteFactory
from sequela.api.rest.responses import json_response, to_json
from sequela.errors import InvalidInput
from sequela.explain.explanation import Explanation
from sequela.explain.ports import ModelInfo
from sequela.explain.request import ArrayPath, ExplainRequest, GivenSequence, InputPaths, NamedArray
from sequela.explain.service import ScoreResult
from sequela.explain.targets import first_targets
from sequela.oip.json_numbers import json_array

MODELS = ("/v1/models/{name}", "/v1/models/{name}/versions/{version}")

DTYPE_OF_KIND: Mapping[str, np.dtype[Any]] = {"b": np.dtype("?"), "i": np.dtype("<i8"), "f": np.dtype("<f8")}
"""The element type of an instance's numbers, by numpy kind."""
INT64 = np.iinfo(np.int64)


class KServeBody(JsonBody):
    """A request. `inputs` is an alias of `instances`. `signature_name` comes from TensorFlow Serving and is ignored."""

    instances: InstanceOf[list[Any]] = Field(default_factory=list)
    inputs: InstanceOf[list[Any]] = Field(default_factory=list)
    parameters: dict[str, Any] = Field(default_factory=dict)
    signature_name: Any = None


@dataclass(frozen=True, slots=True)
class InstancePaths(InputPaths):
    """The paths of an instance, which is either the values of the only input or an object of values by input name."""

    names: tuple[str, ...] = ()

    @property
    def inputs(self) -> str:
        """The path of the instance."""
        return self.parent

    def array(self, index: int) -> ArrayPath:
        """Returns the paths of one input. Its shape and names have the path of its values."""
        name = self.names[index]
        here = f"{self.parent}.{json_path([name])}" if name else self.parent
        return ArrayPath(here, here, here, here, SHAPE_NOTE)


@dataclass(frozen=True, slots=True, eq=False)
class KServe:
    """The handlers of the V1 protocol."""

    dataplane: DataPlane

    def routes(self, factory: RouteFactory) -> list[Route]:
        """Returns the routes of all paths."""
        return [
            factory.route("GET", "/", self.alive),
            factory.route("GET", "/v1/models", self.models),
            *(factory.route("POST", f"{model}:explain", self.explain) for model in MODELS),
            *(factory.route("POST", f"{model}:predict", self.predict) for model in MODELS),
            *(factory.route("GET", model, self.ready) for model in MODELS),
        ]

    async def alive(self, _: HttpCall) -> Response:
        """Returns the liveness response that KServe's clients expect."""
        return json_response(to_json({"status": "alive"}))

    async def models(self, call: HttpCall) -> Response:
        """Returns the names of all models, without versions."""
        return json_response(to_json({"models": await self.dataplane.model_names(call.deadline)}))

    async def ready(self, call: HttpCall) -> Response:
        """Returns whether a model can be explained at present."""
        problem = await self.dataplane.model_problem(call.model, call.deadline)
        if problem:
            found = {"error": problem.message, "name": call.model_name, "ready": False}
            return json_response(to_json(found), 503)
        return json_response(to_json({"name": call.model_name, "ready": True}))

    async def explain(self, call: HttpCall) -> Response:
        """Returns the raw scores of every instance, and its explanation as JSON of `sequela.v1.Explanation`."""
        read = partial(self._batch_to_explain, call)
        batch = await self.dataplane.read_for(call.model, read, call.deadline)
        rows = await self.dataplane.explain_batch(batch.explain_requests(), _encode_row, call.deadline)
        scores = ",".join(scores for scores, _ in rows)
        explanations = ",".join(explanation for _, explanation in rows)
        # The parts are JSON already, so they are joined as text instead of being parsed and encoded again.
        return json_response(f'{{"predictions":[{scores}],"explanations":[{explanations}]}}'.encode())

    async def predict(self, call: HttpCall) -> Response:
        """Returns the model's outputs for every instance."""
        read = partial(self._batch, call, self.dataplane.limits.max_score_sequences)
        batch = await self.dataplane.read_for(call.model, read, call.deadline)
        content = await self.dataplane.score_rows(batch.score_request(), _predictions, call.deadline)
        return json_response(content)

    def _batch_to_explain(self, call: HttpCall, model: ModelInfo) -> Batch:
        """Decodes a batch. Targets default to the model's order, because predictions have no names."""
        limits = self.dataplane.limits
        batch = self._batch(call, limits.max_explained_rows, model)
        targets = first_targets(batch.model.schema, limits)
        return Batch(batch.model, batch.rows, batch.parameters.with_default_targets(targets))

    def _batch(self, call: HttpCall, most_rows: int, model: ModelInfo) -> Batch:
        body = read_body(call.body, KServeBody)
        parameters = read_parameters(body.parameters, self.dataplane.limits)
        return Batch(model, instance_rows(body, most_rows), parameters)


def instance_rows(body: KServeBody, most_rows: int) -> tuple[GivenSequence, ...]:
    """Returns one sequence for each instance. Raises InvalidInput."""
    # An empty list that was sent must not look like one that is missing.
    given = [name for name in ("instances", "inputs") if name in body.model_fields_set]
    if len(given) != 1:
        text = "exactly one of `instances` and its alias `inputs` must be a list of instances"
        raise InvalidInput.at("instances", "FIELD_INVALID", text)
    instances: Sequence[Any] = getattr(body, given[0])
    check_row_count(len(instances), most_rows, given[0])
    return tuple(_sequence(each, f"{given[0]}[{index}]") for index, each in enumerate(instances))


def _sequence(instance: Any, path: str) -> GivenSequence:
    values = instance if isinstance(instance, dict) else {"": instance}
    if not values:
        text = "contains no tensor; send one for each input of the model"
        raise InvalidInput.at(path, "SEQUENCE_EMPTY", text)
    paths = InstancePaths(path, names=tuple(values))
    arrays = (
        NamedArray(name, _array(value, paths.array(index).values))
        for index, (name, value) in enumerate(values.items())
    )
    return GivenSequence(tuple(arrays), paths=paths)


def _array(value: Any, path: str) -> NDArray[Any]:
    """Converts a value to booleans, 64-bit integers or float64. Raises InvalidInput (INSTANCE_INVALID)."""
    try:
        array = np.asarray(value)
        _check_integers(array)
        array = json_array(array)
    except (ValueError, OverflowError):  # lists of different lengths, strings, too large integers
        array = np.empty(0)
    if array.dtype.kind not in DTYPE_OF_KIND or array.size == 0:
        text = "must be numbers, or nested lists of numbers of equal lengths, and not empty; integers must fit 64 bits"
        raise InvalidInput.at(path, "INSTANCE_INVALID", text)
    return array.astype(DTYPE_OF_KIND[array.dtype.kind], copy=False)


def _check_integers(array: NDArray[Any]) -> None:
    """Raises ValueError for integers that do not fit 64 bits, because as floats they might become different ids."""
    if array.dtype == object and any(
        isinstance(each, int) and not INT64.min <= each <= INT64.max for each in array.flat
    ):
        raise ValueError("an integer does not fit 64 bits")


def _encode_row(_: ExplainRequest, explanation: Explanation) -> tuple[str, str]:
    """Returns the raw scores and the explanation, both as JSON."""
    scores = [target.raw_score for target in explanation.targets]
    return to_json(scores).decode(), explanation_json(explanation)


def _predictions(scored: ScoreResult) -> bytes:
    return to_json({"predictions": scored.values.tolist()})
