"""Reads a `schema.json` into a ModelSchema, and writes one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import groupby
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sequela.errors import InvalidInput, Violation
from sequela.explain.schema import ModelSchema

MAX_CHARACTERS = 60
"""The most characters of a wrong value that a message shows."""
MAX_PROBLEMS = 10
EXPECTED: Mapping[str, str] = {
    "bool_type": "true or false",
    "dataclass_type": "an object",
    "dict_type": "an object",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "string_type": "a string",
    "tuple_type": "a list",
}
"""Descriptions of the expected values, by pydantic error type."""
VERSION = ("reasons", "version")
"""The place of the one value that may be a string or a number. Pydantic reports a problem for each type."""

# Pydantic applies this configuration to plain dataclasses only below another type, hence the `| None`.
_SCHEMA: TypeAdapter[ModelSchema | None] = TypeAdapter(
    ModelSchema | None, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
)


def read_schema(text: bytes, path: str) -> ModelSchema:
    """Parses a schema. Whether it fits a model is not checked here.

    Args:
        text: The JSON text.
        path: The path of the text in the request, for errors.

    Raises:
        InvalidInput: SCHEMA_INVALID for text that is not JSON, unknown or missing keys and wrong types. Each violation
            names its place in the schema (`features[2].kind`).
    """
    try:
        schema = _SCHEMA.validate_json(text)
    except ValidationError as error:
        raise _refusal(_of_best_branches(error.errors(include_url=False))[:MAX_PROBLEMS], path) from None
    if schema is None:
        raise InvalidInput.at(path, "SCHEMA_INVALID", "must be an object, not null")
    return schema


def write_schema(schema: ModelSchema) -> bytes:
    """Writes a schema as JSON. `read_schema` returns the same schema from it."""
    return _SCHEMA.dump_json(schema, indent=2, exclude_none=True)


def _of_best_branches(problems: list[ErrorDetails]) -> list[ErrorDetails]:
    """Keeps, for each union, only the problems of the branch that the value was meant for.

    Pydantic reports those of every branch: a list of rows is also a wrong list of numbers. The branch that was meant
    reads deepest into the value, or else has the fewest problems.
    """
    kept = []
    for _, group in groupby(problems, lambda problem: _branch(problem["loc"])[0]):
        branches = [list(each) for _, each in groupby(group, lambda problem: _branch(problem["loc"])[1])]
        best = min(branches, key=lambda each: (-max(len(problem["loc"]) for problem in each), len(each)))
        kept += best
    return kept


def _branch(location: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], int | str]:
    """The place of the value whose type is a union, and the branch; without one, the place itself and nothing."""
    for position, step in enumerate(location):
        if _is_branch(step):
            return location[:position], step
    return location, ""


def _is_branch(step: int | str) -> bool:
    """Whether a step is one that pydantic adds for a branch of a union, and not a key."""
    return isinstance(step, str) and step.startswith("tuple[")


def _refusal(problems: list[ErrorDetails], path: str) -> InvalidInput:
    # Pydantic reports a problem once for each branch of a union.
    descriptions = dict.fromkeys(map(_description, problems))
    violations = [Violation(path, each) for each in descriptions]
    summary = "; ".join(violation.description for violation in violations)
    return InvalidInput("SCHEMA_INVALID", f"{path}: {summary}", violations=violations)


def _description(problem: ErrorDetails) -> str:
    if problem["loc"][:2] == VERSION and problem["type"] != "missing":
        return f"{_key(VERSION)}: must be a string or a finite number, not {_shortened(problem['input'])}"
    key = _key(problem["loc"])
    if problem["type"] == "json_invalid":
        return f"is not valid JSON: {problem['ctx']['error']}"
    if problem["type"] == "unexpected_keyword_argument":
        return (
            f"{key}: unknown key;{_meant(str(problem['loc'][-1]))} docs/schema.md lists the keys of a schema"
        )
    if problem["type"] == "missing":
        return f"{key}: is missing"
    if problem["type"] == "enum":
        expected = f"one of {problem['ctx']['expected']}"
    else:
        expected = EXPECTED.get(problem["type"], "a different value")
    return f"{key}: must be {expected}, not {_shortened(problem['input'])}"


def _meant(name: str) -> str:
    """Returns a question that names the nearest key, or an empty string."""
    near = get_close_matches(name, _known_keys(_SCHEMA.json_schema()), n=1)
    return f" did you mean {near[0]}?" if near else ""


def _known_keys(part: Any) -> set[str]:
    """Returns the keys of all objects in a JSON schema."""
    if isinstance(part, list):
        return set().union(*map(_known_keys, part))
    if not isinstance(part, dict):
        return set()
    own = part.get("properties", {})
    return set(own if isinstance(own, dict) else ()).union(*map(_known_keys, part.values()))


def _key(location: tuple[int | str, ...]) -> str:
    """`features[2].kind`, without the branch of a union that pydantic tried."""
    key = ""
    for step in location:
        if isinstance(step, int):
            key += f"[{step}]"
        elif not _is_branch(step):
            key += f".{step}"
    return key.removeprefix(".") or "the text"


def _shortened(value: Any) -> str:
    shown = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return shown if len(shown) <= MAX_CHARACTERS else shown[: MAX_CHARACTERS - 1] + "…"
