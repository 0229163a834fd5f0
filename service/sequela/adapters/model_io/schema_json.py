"""The text of a `schema.json`: read into a ModelSchema, and written from one."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sequela.errors import InvalidInput, Violation
from sequela.explain.schema import ModelSchema

MAX_CHARACTERS = 60
MAX_PROBLEMS = 10

# Pydantic hands this configuration on to plain dataclasses only below another type, hence the `| None`.
_SCHEMA: TypeAdapter[ModelSchema | None] = TypeAdapter(
    ModelSchema | None, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
)


def read_schema(text: bytes, path: str) -> ModelSchema:
    """The schema a text holds; whether it fits a model is not looked at.

    Raises InvalidInput (SCHEMA_INVALID) for text that is not JSON, unknown keys, missing keys and wrong
    types; every violation names the place inside the schema (`features[2].kind`). `path` is where the text
    stands in the request.
    """
    try:
        schema = _SCHEMA.validate_json(text)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[:MAX_PROBLEMS], path) from None
    if schema is None:
        raise InvalidInput.at(path, "SCHEMA_INVALID", "holds null, expected an object")
    return schema


def write_schema(schema: ModelSchema) -> bytes:
    """The text of a schema; `read_schema` gives the same schema back."""
    return _SCHEMA.dump_json(schema, indent=2, exclude_none=True)


def _refusal(problems: list[ErrorDetails], path: str) -> InvalidInput:
    violations = [Violation(path, _described(problem)) for problem in problems]
    summary = "; ".join(violation.description for violation in violations)
    return InvalidInput("SCHEMA_INVALID", f"{path}: {summary}", violations=violations)


def _described(problem: ErrorDetails) -> str:
    place = _place(problem["loc"])
    if problem["type"] == "json_invalid":
        return f"not JSON: {problem['ctx']['error']}"
    if problem["type"] == "unexpected_keyword_argument":
        return f"{place}: not a key of the schema"
    if problem["type"] == "missing":
        return f"{place}: missing"
    return f"{place}: {problem['msg']}, not {_shortened(problem['input'])}"


def _place(location: tuple[int | str, ...]) -> str:
    """`features[2].kind`; what pydantic says of the branch of a union it tried is left out."""
    place = ""
    for step in location:
        if isinstance(step, int):
            place += f"[{step}]"
        elif not step.startswith("tuple["):
            place += f".{step}"
    return place.removeprefix(".") or "the text"


def _shortened(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= MAX_CHARACTERS else shown[: MAX_CHARACTERS - 1] + "…"
