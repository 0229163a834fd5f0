"""Typed models of the JSON answers of servers. Unknown fields are ignored.

NaN and Infinity are accepted, because servers in Python write them although they are not valid JSON.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from sequela.adapters.endpoints.answers import WrongAnswer
from sequela.oip.metadata import ModelMetadata, TensorMetadata

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class MetadataAnswer:
    """A model's metadata (version 2). Servers leave fields out, or set them to null."""

    name: str = ""
    versions: tuple[str, ...] | None = None
    platform: str | None = None
    inputs: tuple[TensorMetadata, ...] | None = None
    outputs: tuple[TensorMetadata, ...] | None = None

    @property
    def metadata(self) -> ModelMetadata:
        """The metadata, in which null is replaced by an empty value."""
        versions, inputs, outputs = self.versions or (), self.inputs or (), self.outputs or ()
        return ModelMetadata(self.name, versions, self.platform or "", inputs, outputs)


@dataclass(frozen=True)
class ConfigAnswer:
    """A model's configuration, which only Triton has (version 2). If `max_batch_size` is 0, it takes no batches."""

    max_batch_size: int = 0


@dataclass(frozen=True)
class OutputAnswer:
    """One output of a model (version 2). `data` may be nested or flat."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


@dataclass(frozen=True)
class InferAnswer:
    """The outputs of a call (version 2)."""

    outputs: tuple[OutputAnswer, ...]
    model_name: str | None = None
    model_version: str | None = None


@dataclass(frozen=True)
class PredictAnswer:
    """The outputs of a call (version 1): for each row a number, a list, or an object of outputs by name."""

    predictions: list[Any]


@dataclass(frozen=True)
class ReadyAnswer:
    """Whether a model is ready."""

    ready: bool = True


@dataclass(frozen=True)
class ErrorAnswer:
    """Why a call failed: `error` as KServe, Triton and MLServer name it, `detail` as FastAPI does."""

    error: str | None = None
    detail: str | None = None


METADATA, CONFIG, INFER = TypeAdapter(MetadataAnswer), TypeAdapter(ConfigAnswer), TypeAdapter(InferAnswer)
PREDICT, READY, ERROR = TypeAdapter(PredictAnswer), TypeAdapter(ReadyAnswer), TypeAdapter(ErrorAnswer)
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


def read_answer(model: TypeAdapter[Answer], content: bytes, subject: str) -> Answer:
    """Reads JSON.

    Args:
        model: The expected type of the answer.
        content: The body of the answer.
        subject: The name of the body in messages, such as "the answer".

    Raises:
        WrongAnswer: The text is not valid JSON, or does not have the expected form.
    """
    try:
        return model.validate_json(content)
    except ValidationError as error:
        # One problem is enough. Values are left out, because they may be long.
        problem = error.errors(include_url=False, include_input=False)[0]
    if problem["type"] == "json_invalid":
        raise WrongAnswer(f"{subject} is not valid JSON: {problem['ctx']['error']}")
    field = ".".join(map(str, problem["loc"]))
    raise WrongAnswer(
        f"{subject} does not have the expected form: {field and f'{field}: '}{problem_text(problem)}"
    )


def problem_text(problem: ErrorDetails) -> str:
    """Says what is wrong with a value as a predicate: `must be a valid list`."""
    if problem["type"] == "missing":
        return "is missing"
    return problem["msg"].replace("Input should be", "must be", 1)
