"""KServe's first protocol: `:explain` and `:predict` of instances, each of which may have a length of its own."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sequela_proto.v1 import sequela_pb2 as pb
from starlette.responses import Response
from starlette.routing import Route

from sequela.api.grpc.decode.pages import LARGEST_PAGE
from sequela.api.inference.batch_inference import Inference, Questions
from sequela.api.inference.error_paths import of_instances
from sequela.api.inference.outputs import json_text
from sequela.api.inference.parameters import parameters
from sequela.api.inference.tensors import check_rows
from sequela.api.rest.json_numbers import as_array
from sequela.api.rest.middleware import EveryRequest
from sequela.api.rest.request import Asked, listed, mapping, parsed
from sequela.api.rest.responses import answer, written
from sequela.errors import DoesNotFit, Forbidden, InvalidInput, Unavailable
from sequela.explain.request import GivenSequence
from sequela.explain.result.explanation import Explanation
from sequela.explain.targets import first_targets
from sequela.names import parse_name

KNOWN = ("instances", "inputs", "parameters", "signature_name")
"""`inputs` is another name of `instances`; `signature_name` comes from TensorFlow Serving, and means nothing here."""

MODEL = "/v1/models/{name}"
VERSION = "/v1/models/{name}/versions/{version}"

DTYPES: Mapping[str, tuple[np.dtype[Any], pb.DataType.ValueType]] = {
    "b": (np.dtype("?"), pb.DATA_TYPE_BOOL),
    "i": (np.dtype("<i8"), pb.DATA_TYPE_INT64),
    "f": (np.dtype("<f8"), pb.DATA_TYPE_FLOAT64),
}


@dataclass(frozen=True, slots=True, eq=False)
class KServe:
    """The handlers of its paths."""

    inference: Inference

    def routes(self, every: EveryRequest) -> list[Route]:
        """All paths."""
        return [
            every.route("GET", "/", self.alive),
            every.route("GET", "/v1/models", self.models),
            *(every.route("POST", f"{model}:explain", self.explain) for model in (MODEL, VERSION)),
            *(every.route("POST", f"{model}:predict", self.predict) for model in (MODEL, VERSION)),
            *(every.route("GET", model, self.ready) for model in (MODEL, VERSION)),
        ]

    async def alive(self, _: Asked) -> Response:
        """What KServe's clients take for a sign of life."""
        return answer(written({"status": "alive"}))

    async def models(self, asked: Asked) -> Response:
        """The names of all models, without versions."""
        names = await self.inference.looked_up(self._names, asked.deadline)
        return answer(written({"models": names}))

    async def ready(self, asked: Asked) -> Response:
        """Whether a model would be explained now."""
        name, version = asked.model
        find = functools.partial(self.inference.model, name, version, of_instances, asked.deadline.end)
        try:
            await self.inference.looked_up(find, asked.deadline)
        except (Unavailable, DoesNotFit, Forbidden) as error:
            return answer(written({"error": error.message, "name": name, "ready": False}), 503)
        return answer(written({"name": name, "ready": True}))

    async def explain(self, asked: Asked) -> Response:
        """Every instance's raw scores and its explanation, as JSON of `sequela.v1.Explanation`."""
        most = self.inference.limits.max_explained_rows
        wanted = await self.inference.looked_up(
            functools.partial(self._to_explain, asked, most), asked.deadline
        )
        found = await self.inference.explained(wanted, asked.deadline, _explained)
        scores = ",".join(scores for scores, _ in found)
        texts = ",".join(text for _, text in found)
        return answer(f'{{"predictions":[{scores}],"explanations":[{texts}]}}'.encode())

    async def predict(self, asked: Asked) -> Response:
        """The model's own outputs of every instance."""
        most = self.inference.limits.max_score_sequences
        wanted = await self.inference.looked_up(functools.partial(self._read, asked, most), asked.deadline)
        scored = await self.inference.scored(wanted, asked.deadline)
        return answer(written({"predictions": scored.values.tolist()}))

    def _to_explain(self, asked: Asked, most: int) -> Questions:
        """As `_read`; the outputs in the model's order, as far as the limit goes: predictions have no names."""
        wanted = self._read(asked, most)
        first = first_targets(wanted.model.info.schema, self.inference.limits)
        return replace(wanted, parameters=wanted.parameters.for_outputs(first))

    def _read(self, asked: Asked, most: int) -> Questions:
        model = self.inference.model(
            *asked.model, of_instances, asked.deadline.end
        )  # before a body is parsed
        body = parsed(asked.body, KNOWN)
        said = parameters(mapping(body.get("parameters", {}), "parameters", ()), self.inference.limits)
        rows = _rows(body, most)
        return Questions(model, rows, said, of_instances)

    def _names(self) -> list[str]:
        models, token, names = self.inference.models, "", dict[str, None]()
        while True:
            page = models.list(LARGEST_PAGE, token)
            names |= dict.fromkeys(parse_name(record.name, "name").model for record in page.items)
            if not (token := page.next_token):
                return list(names)


def _explained(_: GivenSequence, explanation: Explanation) -> tuple[str, str]:
    """The raw scores and the explanation, both as JSON."""
    scores = [target.raw_score for target in explanation.targets]
    return written(scores).decode(), json_text(explanation)


def _rows(body: Mapping[str, Any], most: int) -> tuple[pb.Sequence, ...]:
    given = [name for name in ("instances", "inputs") if name in body]
    if len(given) != 1:
        raise InvalidInput.at(
            "instances", "FIELD_INVALID", "must be there, once: a list, or the same as `inputs`"
        )
    instances = listed(body[given[0]], given[0])
    check_rows(len(instances), most, given[0])
    return tuple(_sequence(each, f"{given[0]}[{index}]") for index, each in enumerate(instances))


def _sequence(instance: Any, path: str) -> pb.Sequence:
    """By input name, or the values of the only input."""
    if not isinstance(instance, dict):
        return pb.Sequence(inputs=[_tensor("", instance, path)])
    return pb.Sequence(inputs=[_tensor(name, value, f"{path}.{name}") for name, value in instance.items()])


def _tensor(name: str, value: Any, path: str) -> pb.InputTensor:
    try:
        array = as_array(value)
    except (ValueError, OverflowError):  # the first for lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in DTYPES or array.size == 0:
        text = "must be numbers, or lists of numbers of one length, and not empty"
        raise InvalidInput.at(path[:90], "INSTANCE_INVALID", text)
    dtype, ours = DTYPES[array.dtype.kind]
    raw = np.ascontiguousarray(array, dtype).tobytes()
    return pb.InputTensor(name=name, tensor=pb.Tensor(dtype=ours, shape=array.shape, raw=raw))
