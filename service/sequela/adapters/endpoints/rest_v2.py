"""A served model by the Open Inference Protocol, version 2, over REST."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from sequela.adapters.endpoints.answers import (
    WrongAnswer,
    json_floats,
    output_index,
    output_rows,
    valid_tensor,
)
from sequela.adapters.endpoints.failures import invalid_answer
from sequela.adapters.endpoints.feed_tensors import feed_tensors
from sequela.adapters.endpoints.rest_client import Rest
from sequela.adapters.endpoints.signatures import description
from sequela.adapters.endpoints.transport import Description, Feeds
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import SequelaError
from sequela.explain.ports import TryAgain
from sequela.oip.json_tensors import json_tensor
from sequela.oip.metadata import ModelMetadata, TensorMetadata, model_mismatch, version_missing
from sequela.oip.tensors import known_datatype, shaped


@dataclass(frozen=True)
class Metadata:
    """What a server says of a model; what it leaves out is empty."""

    name: str = ""
    versions: tuple[str, ...] | None = None
    platform: str | None = None
    inputs: tuple[TensorMetadata, ...] | None = None
    outputs: tuple[TensorMetadata, ...] | None = None

    def filled(self) -> ModelMetadata:
        """With nothing for null."""
        versions, inputs, outputs = self.versions or (), self.inputs or (), self.outputs or ()
        return ModelMetadata(self.name, versions, self.platform or "", inputs, outputs)


@dataclass(frozen=True)
class Config:
    """Triton's own."""

    max_batch_size: int = 0


@dataclass(frozen=True)
class Output:
    """A tensor that the model gave."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


@dataclass(frozen=True)
class Inferred:
    """What the model gave."""

    outputs: tuple[Output, ...]
    model_name: str | None = None
    model_version: str | None = None


METADATA, CONFIG, INFERRED = TypeAdapter(Metadata), TypeAdapter(Config), TypeAdapter(Inferred)


class RestV2Transport:
    """Implements `Transport`."""

    def __init__(self, rest: Rest, version: str) -> None:
        self._rest, self._version = rest, version
        self._path = rest.uri.path + (f"/versions/{version}" if version else "")

    def describe(self, until: float) -> Description:
        """As `Transport.describe`; DoesNotFit (MODEL_INPUT_UNSUPPORTED) for inputs that Sequela cannot feed."""
        with self._checked():
            metadata = _read(METADATA, self._rest.get(self._path, until), "its metadata").filled()
            problem = model_mismatch(self._rest.uri.name, "", metadata.name, "")
            problem = problem or version_missing(self._version, metadata.versions)
            if problem:
                raise WrongAnswer(f"its metadata: {problem}")
        return replace(description(metadata), most_rows=self._most_rows(until))

    def infer(self, feeds: Feeds, output: str, until: float) -> NDArray[np.float64]:
        """As `Transport.infer`."""
        rows = len(next(iter(feeds.values())))
        with self._checked():
            answer = self._rest.post(f"{self._path}/infer", infer_request(feeds, output), until)
            return self._output(_read(INFERRED, answer, "it"), output, rows)

    def ready(self, until: float) -> bool:
        """As `Transport.ready`."""
        try:
            return self._rest.ready(f"{self._path}/ready", until)
        except (SequelaError, TryAgain, DeadlinePassed):
            return False

    def close(self) -> None:
        """As `Transport.close`."""
        self._rest.close()

    def _most_rows(self, until: float) -> int | None:
        """Triton's own word; others do not know the path."""
        try:
            config = _read(CONFIG, self._rest.get(f"{self._path}/config", until), "its configuration")
        except (SequelaError, WrongAnswer):
            return None
        return config.max_batch_size if config.max_batch_size > 0 else None

    def _output(self, answer: Inferred, output: str, rows: int) -> NDArray[np.float64]:
        said = (answer.model_name or "", answer.model_version or "")
        problem = model_mismatch(self._rest.uri.name, self._version, *said)
        if problem:
            raise WrongAnswer(problem)
        index = output_index([(each.name, each.datatype) for each in answer.outputs], output)
        found = answer.outputs[index]
        with valid_tensor(found.name):
            known_datatype(found.datatype)
            values = json_floats(found.data, f"output {found.name!r}").reshape(-1)
            return output_rows(found.name, shaped(values, found.shape), rows)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """An answer that is none becomes the error it is."""
        try:
            yield
        except WrongAnswer as error:
            raise invalid_answer(self._rest.uri, str(error)) from None


def infer_request(feeds: Feeds, output: str) -> dict[str, Any]:
    """A call: elements as one flat list in row-major order. Without an output all are asked for."""
    inputs = [json_tensor(tensor) for tensor in feed_tensors(feeds)]
    return {"inputs": inputs, **({"outputs": [{"name": output}]} if output else {})}


def _read(kind: TypeAdapter[Any], answer: Any, what: str) -> Any:
    """Raises WrongAnswer."""
    try:
        return kind.validate_python(answer)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the whole"
        raise WrongAnswer(f"{what} has another form, {place}: {problem['msg']}") from None
