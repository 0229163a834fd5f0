"""A served model by the Open Inference Protocol, version 2, over REST."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from sequela.adapters.endpoints.failures import invalid_answer
from sequela.adapters.endpoints.json_numbers import numbers
from sequela.adapters.endpoints.oip import (
    DATATYPES,
    NUMPY_TYPES,
    Tensor,
    WrongAnswer,
    checked_output,
    echo_problem,
    input_signatures,
    output_index,
    output_signatures,
    versions_problem,
)
from sequela.adapters.endpoints.rest_client import Rest
from sequela.adapters.endpoints.transport import Description, Feeds
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import SequelaError
from sequela.explain.ports import TryAgain


@dataclass(frozen=True)
class Metadata:
    """What a server says of a model; what it leaves out is empty."""

    name: str = ""
    versions: tuple[str, ...] | None = None
    platform: str | None = None
    inputs: tuple[Tensor, ...] | None = None
    outputs: tuple[Tensor, ...] | None = None


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
            metadata = _read(METADATA, self._rest.get(self._path, until), "its metadata")
            versions = tuple(metadata.versions or ())
            problem = echo_problem(self._rest.uri.name, "", metadata.name, "")
            problem = problem or versions_problem(self._version, versions)
            if problem:
                raise WrongAnswer(f"its metadata: {problem}")
        inputs = input_signatures(metadata.inputs or ())
        outputs = output_signatures(metadata.outputs or ())
        return Description(inputs, outputs, versions, metadata.platform or "", self._most_rows(until))

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
        problem = echo_problem(self._rest.uri.name, self._version, *said)
        if problem:
            raise WrongAnswer(problem)
        index = output_index([(each.name, each.datatype) for each in answer.outputs], output)
        found = answer.outputs[index]
        if found.datatype not in NUMPY_TYPES:
            raise WrongAnswer(f"output {found.name!r} holds {found.datatype}, not numbers")
        values = numbers(found.data, f"output {found.name!r}").reshape(-1)
        return checked_output(found.name, values, found.shape, rows)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """An answer that is none becomes the error it is."""
        try:
            yield
        except WrongAnswer as error:
            raise invalid_answer(self._rest.uri, str(error)) from None


def infer_request(feeds: Feeds, output: str) -> dict[str, Any]:
    """A call: elements as one flat list in row-major order. Without an output all are asked for."""
    inputs = [
        {
            "name": name,
            "shape": values.shape,
            "datatype": DATATYPES[values.dtype.name],
            "data": np.ascontiguousarray(values).reshape(-1),
        }
        for name, values in feeds.items()
    ]
    return {"inputs": inputs, **({"outputs": [{"name": output}]} if output else {})}


def _read(kind: TypeAdapter[Any], answer: Any, what: str) -> Any:
    """Raises WrongAnswer."""
    try:
        return kind.validate_python(answer)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the whole"
        raise WrongAnswer(f"{what} has another form, {place}: {problem['msg']}") from None
