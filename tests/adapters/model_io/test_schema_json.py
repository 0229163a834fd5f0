"""The text of a schema is read whole or refused, and what is wrong is found by its place in the text."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from matrix import CASES, Case
from sequela.adapters.model_io.schema_json import read_schema, write_schema
from sequela.errors import InvalidInput
from sequela.explain.schema import (
    Display,
    Dtype,
    FeatureKind,
    FeatureSchema,
    InputSchema,
    Link,
    ModelSchema,
    PaddingSide,
    Role,
    TargetSchema,
    Transform,
)

WITH_SCHEMA = [case for case in CASES if case.has_schema]
FULL = ModelSchema(
    inputs=(InputSchema("x", Role.EVENTS, Dtype.INT64, 2, -1.0), InputSchema("s", Role.STATIC)),
    features=(
        FeatureSchema(
            "a",
            {"x": (0, 1)},
            FeatureKind.GROUP,
            "Label",
            "EUR",
            "What it is",
            ("one", "two"),
            Display(1.5, 2.0, Transform.LOG1P, 0),
        ),
    ),
    targets=(TargetSchema("fraud", "Fraud"), TargetSchema("other")),
    output="score",
    per_event=True,
    link=Link.LOGIT,
    padding=PaddingSide.LEFT,
    bounded=False,
    background={"x": ((0.0, 1.0), (2.0, 3.0)), "s": (0.5,)},
)


def minimal() -> dict[str, Any]:
    return {
        "inputs": [{"name": "x", "role": "events"}],
        "features": [{"name": "f", "columns": {"x": [0]}}],
        "targets": [{"name": "score"}],
    }


def test_written_schemas_are_read_back() -> None:
    """Every field survives, enumerations, tuples and matrices among them."""
    assert read_schema(write_schema(FULL), "schema") == FULL
    assert read_schema(write_schema(replace(FULL, background=None, padding=None)), "schema").padding is None


@pytest.mark.parametrize("case", WITH_SCHEMA, ids=str)
def test_fixtures_are_read(case: Case) -> None:
    """A schema.json as people write it, with defaults left out."""
    schema = read_schema(case.path.with_name("schema.json").read_bytes(), "schema")
    assert [item.name for item in schema.inputs] == [item.name for item in case.inputs]
    assert [target.name for target in schema.targets] == list(case.targets)


WRONG = [
    (
        ("inputs", 0, "role"),
        "evnts",
        "inputs[0].role: must be one of 'events', 'static', 'mask', 'length' or 'state', not 'evnts'",
    ),
    (("inputs", 0, "width"), "3", "inputs[0].width: must be a whole number, not '3'"),
    (("inputs", 0, "wdith"), 3, "inputs[0].wdith: unknown key; did you mean width? docs/schema.md"),
    (
        ("features", 0, "display"),
        {"scale": "big"},
        "features[0].display.scale: must be a number, not 'big'",
    ),
    (("features", 0, "columns"), {"x": ["0"]}, "features[0].columns.x[0]: must be a whole number, not '0'"),
    (("features", 0, "columns"), [0], "features[0].columns: must be an object, not [0]"),
    (("background",), {"x": [[1.0], ["two"]]}, "background.x[1][0]: must be a number, not 'two'"),
    (("targets", 0), {}, "targets[0].name: is missing"),
    (("per_event",), 1, "per_event: must be true or false, not 1"),
    (("links",), "logit", "links: unknown key; did you mean link?"),
    (("zzz",), 1, "zzz: unknown key; docs/schema.md lists the keys of a schema"),
]


@pytest.mark.parametrize(("place", "value", "text"), WRONG, ids=[row[2].split(":")[0] for row in WRONG])
def test_what_is_wrong_is_named(place: tuple[str | int, ...], value: Any, text: str) -> None:
    """The error names the field of the request, the place in the schema, and the value."""
    document: Any = minimal()
    spot = document
    for step in place[:-1]:
        spot = spot[step]
    spot[place[-1]] = value
    with pytest.raises(InvalidInput) as caught:
        read_schema(json.dumps(document).encode(), "header.schema_json")
    assert caught.value.reason == "SCHEMA_INVALID"
    assert {violation.field for violation in caught.value.violations} == {"header.schema_json"}
    assert any(violation.description.startswith(text) for violation in caught.value.violations)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"[" * 10_000, "is not valid JSON"),
        (b"null", "null"),
        (b"[]", "the text: "),
        (b'{"inputs": [{}]}', r"inputs\[0\]\.name: is missing"),
    ],
)
def test_other_texts_are_refused(text: bytes, expected: str) -> None:
    """What is no JSON object is refused in the same way."""
    with pytest.raises(InvalidInput, match=expected) as caught:
        read_schema(text, "schema")
    assert caught.value.reason == "SCHEMA_INVALID"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_are_finite(number: str) -> None:
    """JSON has no such numbers, and neither has a schema."""
    text = json.dumps(minimal() | {"background": {"x": ["?"]}}).replace('"?"', number)
    with pytest.raises(InvalidInput, match="finite"):
        read_schema(text.encode(), "schema")


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        ([0.0, "two"], ["background.x[1]: must be a number, not 'two'"]),
        ([[0.0, 1.0], [2.0, "three"]], ["background.x[1][1]: must be a number, not 'three'"]),
        (
            [[0.0, "one"], [2.0, None]],
            ["background.x[0][1]: must be a number, not 'one'", "background.x[1][1]"],
        ),
        (["one", [2.0]], ["background.x[0]: must be a list, not 'one'"]),
        ("zeros", ["background.x: must be a list, not 'zeros'"]),
    ],
)
def test_a_bad_value_in_a_background_is_one_problem(rows: Any, problems: list[str]) -> None:
    """A background is a list of numbers or a list of rows, and a bad value is not called wrong as both."""
    document = minimal() | {"background": {"x": rows, "other": [0.0, "?"]}}
    with pytest.raises(InvalidInput) as caught:
        read_schema(json.dumps(document).encode(), "schema")
    found = [violation.description for violation in caught.value.violations]
    assert len(found) == len(problems) + 1
    assert all(text.startswith(problem) for text, problem in zip(found, problems, strict=False))
    assert found[-1] == "background.other[1]: must be a number, not '?'"


def test_long_values_and_lists_are_cut() -> None:
    """A text that is wrong everywhere gets a short answer."""
    document = minimal() | {f"key{number}": "x" * 1_000 for number in range(1_000)}
    with pytest.raises(InvalidInput) as caught:
        read_schema(json.dumps(document).encode(), "schema")
    assert len(caught.value.violations) == 10
    assert len(caught.value.message) < 1_000
