"""Bodies in JSON, parsed into typed models; what is wrong is named by its path in the body.

Parsing runs in a thread. It must not hold the interpreter for long, so that the event loop and other requests go on
while a large body is read: json calls back into Python for every number, and the models leave lists of numbers alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from sequela.api.violations import Violations
from sequela.errors import InvalidInput

UNKNOWN = "unknown_field"
MAX_INTEGER_DIGITS = 4_300
"""The largest number of digits of a whole number. It is Python's own limit, whose error names a function of Python."""
MAX_SHOWN_KEY = 60
"""The largest number of characters of a key that a path shows."""

EXPECTED: Mapping[str, str] = {
    "string_type": "a string",
    "list_type": "a list",
    "is_instance_of": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}
"""What a value must be, by pydantic's types of errors."""

JSON_TYPES: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    type(None): "null",
}
"""What JSON calls a value; everything else is a number."""


class JsonBody(BaseModel):
    """A JSON object with these fields and no others. Types must be exact: no string is taken for a number."""

    model_config = ConfigDict(strict=True, frozen=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, value: Any) -> Any:
        """One error for each object, however many unknown fields it has: pydantic's own would make one for each."""
        if isinstance(value, dict) and (unknown := value.keys() - cls.model_fields.keys()):
            context = {"key": min(unknown), "known": ", ".join(cls.model_fields)}
            raise PydanticCustomError(UNKNOWN, "is not a field; there are {known}", context)
        return value


Body = TypeVar("Body", bound=JsonBody)


def read_body(body: bytearray, model: type[Body]) -> Body:
    """The body as a model. Raises InvalidInput with everything that is wrong."""
    content = parse_json(body)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    # Raised here, since an error raised in the handler would keep pydantic's, and with it the body, alive.
    violations = Violations()
    for each in errors:
        violations.add(*_violation(each))
    violations.raise_any()
    raise AssertionError("pydantic found no error")


def parse_json(body: bytearray) -> Any:
    """What a body holds. Raises InvalidInput for what is not JSON, and for keys that are given twice."""
    try:
        content = json.loads(
            body,
            parse_constant=_refuse_constant,
            parse_float=_to_float,
            parse_int=_to_int,
            object_pairs_hook=_to_object,
        )
        if b"\\u" in body:
            # Encoding fails for one half of a surrogate pair, which JSON can write and which is not a character.
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        text = "the body holds one half of a surrogate pair (\\ud800 to \\udfff), which is not a character"
        raise InvalidInput("BODY_MALFORMED", text) from None
    except RecursionError:
        raise InvalidInput("BODY_MALFORMED", "the body is nested too deeply to be read") from None
    except ValueError as error:
        raise InvalidInput("BODY_MALFORMED", f"the body is not valid JSON: {error}") from None
    return content


def json_type(value: Any) -> str:
    """What JSON calls a value."""
    return JSON_TYPES.get(type(value), "a number")


def _violation(error: ErrorDetails) -> tuple[str, str, str]:
    """Path, reason and description."""
    location = error["loc"]
    if error["type"] == UNKNOWN:
        return json_path([*location, error["ctx"]["key"]]), "FIELD_UNKNOWN", error["msg"]
    path = json_path(location) or "body"
    if error["type"] == "missing":
        return path, "FIELD_INVALID", "is missing"
    expected = EXPECTED.get(error["type"], "of another type")
    return path, "FIELD_INVALID", f"must be {expected}, not {json_type(error['input'])}"


def json_path(location: Sequence[str | int]) -> str:
    """A path as messages show it: `inputs[0].name`."""
    parts = [f"[{each}]" if isinstance(each, int) else f".{_key(each)}" for each in location]
    return "".join(parts).removeprefix(".")


def _key(key: str) -> str:
    return key[:MAX_SHOWN_KEY] or "''"


def _to_float(digits: str) -> float:
    return float(digits)


def _to_int(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise ValueError(f"a whole number has {len(digits)} digits, the limit is {MAX_INTEGER_DIGITS}")
    return int(digits)


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Json by itself would keep the last value of a key that is given twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated[:MAX_SHOWN_KEY]!r} is given twice in one object")
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON (null stands for a missing value)")
