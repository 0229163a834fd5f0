"""Reads a `schema.json` into a ModelSchema, and writes one."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sequela.errors import InvalidInput, Violation
from sequela.explain.schema import ModelSchema

MAX_CHARACTERS = 60
"""Of a wrong value in a message."""
MAX_PROBLEMS = 10

# Pydantic applies this configuration to plain dataclasses only below another type, hence the `| None`.
_SCHEMA: TypeAdapter[ModelSchema | None] = TypeAdapter(
    ModelSchema | None, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
)


def read_schema(text: bytes, path: str) -> ModelSchema:
    """Parses a schema. Whether it fits a model is not checked here.

    Args:
        text: The JSON text.
        path: Where the text stands in the request, for errors.

    Raises:
        InvalidInput: SCHEMA_INVALID for text that is not JSON, unknown or missing keys and wrong types. Each violation
            names its place in the schema (`features[2].kind`).
    """
    try:
        schema = _SCHEMA.validate_json(text)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[:MAX_PROBLEMS], path) from None
    if schema is None:
        raise InvalidInput.at(path, "SCHEMA_INVALID", "is null, expected an object")
    return schema


def write_schema(schema: ModelSchema) -> bytes:
    """The JSON text of a schema; `read_schema` gives the same schema back."""
    return _SCHEMA.dump_json(schema, indent=2, exclude_none=True)


def _refusal(problems: list[ErrorDetails], path: str) -> InvalidInput:
    violations = [Violation(path, _description(problem)) for problem in problems]
    summary = "; ".join(violation.description for violation in violations)
    return InvalidInput("SCHEMA_INVALID", f"{path}: {summary}", violations=violations)


def _description(problem: ErrorDetails) -> str:
    key = _key(problem["loc"])
    if problem["type"] == "json_invalid":
        return f"is not valid JSON: {problem['ctx']['error']}"
    if problem["type"] == "unexpected_keyword_argument":
        return f"{key}: unknown key; docs/schema.md lists the keys of a schema"
    if problem["type"] == "missing":
        return f"{key}: is missing"
    return f"{key}: {problem['msg']}, not {_shortened(problem['input'])}"


def _key(location: tuple[int | str, ...]) -> str:
    """`features[2].kind`, without the branch of a union that pydantic tried."""
    key = ""
    for step in location:
        if isinstance(step, int):
            key += f"[{step}]"
        elif not step.startswith("tuple["):
            key += f".{step}"
    return key.removeprefix(".") or "the text"


def _shortened(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= MAX_CHARACTERS else shown[: MAX_CHARACTERS - 1] + "…"
