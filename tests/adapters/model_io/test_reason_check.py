"""Reason templates of a schema are refused at load, with their place, the value, and what is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sequela.adapters.model_io.reason_check import reason_problems
from sequela.adapters.model_io.schema_json import read_schema, write_schema
from sequela.errors import InvalidInput
from sequela.explain.result.reason_templates import MAX_TEMPLATES

FEATURES = [{"name": "amount", "columns": {"x": [0]}}, {"name": "hour", "columns": {"x": [1]}}]
ROW = {"feature": "amount", "text": "{label} of {value} at {time}"}


def problems(reasons: Any) -> list[str]:
    text = json.dumps({"features": FEATURES, "reasons": reasons}).encode()
    return list(reason_problems(read_schema(text, "schema")))


@pytest.mark.parametrize("version", ["2026-03", "1", 1, 2.5])
def test_templates_that_are_fine(version: Any) -> None:
    """A version is a string or a number; a template is for a feature, for any, or for events; and is written back."""
    reasons = {
        "version": version,
        "templates": [
            ROW | {"direction": "raises"},
            ROW | {"direction": "lowers"},
            ROW,
            {"feature": "*", "text": "{label}"},
            {"text": "What happened at {time}"},
        ],
    }
    assert problems(reasons) == []
    schema = read_schema(json.dumps({"reasons": reasons}).encode(), "schema")
    assert schema.reasons is not None
    assert (schema.reasons.version, type(schema.reasons.version)) == (version, type(version))
    assert read_schema(write_schema(schema), "schema") == schema


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (
            {"version": "", "templates": [ROW]},
            "reasons.version: is '', must be a number, or a string of 1 to 64",
        ),
        ({"version": "v" * 65, "templates": [ROW]}, "reasons.version: is 'vvv"),
        ({"version": "a\nb", "templates": [ROW]}, "reasons.version: is 'a\\nb'"),
        ({"version": 1}, "reasons.templates: has 0 entries, must have from 1 to 1,000"),
        (
            {"version": 1, "templates": [ROW] * (MAX_TEMPLATES + 1)},
            "reasons.templates: has 1001 entries, must have from 1 to 1,000",
        ),
        (
            {"version": 1, "templates": [ROW, ROW]},
            "reasons.templates: has 2 for feature 'amount', and may have one",
        ),
        (
            {"version": 1, "templates": [{"text": "a", "direction": "raises"}] * 2},
            "reasons.templates: has 2 for whole events with the direction raises, and may have one",
        ),
        (
            {"version": 1, "templates": [{"feature": "amont", "text": "a"}]},
            "reasons.templates[0].feature: 'amont' is not a feature of the model, which has amount, hour; "
            '"*" is any feature, and without the key the template is for whole events',
        ),
        (
            {"version": 1, "templates": [ROW, {"feature": "hour", "text": "{score}"}]},
            "reasons.templates[1].text: {score} is not a placeholder; allowed are {label}, {value}, {time}",
        ),
        (
            {"version": 1, "templates": [{"text": "{value} at {time}"}]},
            "reasons.templates[0].text: names {value} or {label}, but a template without a feature is for whole events",
        ),
    ],
)
def test_templates_that_do_not_fit(reasons: Any, expected: str) -> None:
    """One problem, in its place."""
    (found,) = problems(reasons)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("reasons", "text"),
    [
        (
            {"version": True, "templates": [ROW]},
            "reasons.version: must be a string or a finite number, not true",
        ),
        (
            {"version": [1], "templates": [ROW]},
            "reasons.version: must be a string or a finite number, not [1]",
        ),
        ({"templates": [ROW]}, "reasons.version: is missing"),
        ({"version": 1, "templates": [{"feature": "amount"}]}, "reasons.templates[0].text: is missing"),
        (
            {"version": 1, "templates": [ROW | {"direction": "up"}]},
            "reasons.templates[0].direction: must be one of 'raises' or 'lowers', not 'up'",
        ),
        ({"version": 1, "templates": [ROW | {"txt": "a"}]}, "reasons.templates[0].txt: unknown key"),
        ([ROW], "reasons: must be an object"),
    ],
)
def test_values_of_the_wrong_type(reasons: Any, text: str) -> None:
    """As for every other key of a schema."""
    with pytest.raises(InvalidInput) as caught:
        problems(reasons)
    assert caught.value.reason == "SCHEMA_INVALID"
    (violation,) = caught.value.violations
    assert violation.description.startswith(text)
