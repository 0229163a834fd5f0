"""What an endpoint says of its model and what a schema says: each disagreement is named before a row is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sequela.adapters.endpoints.model_interface import ModelInterface, read_interface
from sequela.adapters.endpoints.transport import Description
from sequela.adapters.model_io.signature import AxisSize, Content, InputSignature, OutputSignature
from sequela.errors import SequelaError
from sequela.explain.limits import Limits
from sequela.explain.schema import Dtype

URI, SCHEMA = "model.endpoint.uri", "m/1/schema.json"
EVENTS = {"name": "events", "role": "events", "dtype": "float32", "width": 5}


def tensor(name: str, *axes: AxisSize, dtype: Dtype = Dtype.FLOAT32) -> InputSignature:
    return InputSignature(name, dtype, dtype.value, axes)


ONE = (tensor("events", None, None, 5),)
SCORE = (OutputSignature("score", Content.FLOATS, "FP32", (None, 1)),)


def reading(
    schema: dict[str, Any] | None = None,
    inputs: tuple[InputSignature, ...] = ONE,
    outputs: tuple[OutputSignature, ...] = SCORE,
    limits: Limits | None = None,
) -> ModelInterface:
    text = b"" if schema is None else json.dumps(schema).encode()
    return read_interface(Description(inputs, outputs), text, limits or Limits(), URI, SCHEMA)


def test_metadata_alone() -> None:
    """A plain model needs no schema."""
    found = reading()
    assert [(each.name, each.width) for each in found.schema.inputs] == [("events", 5)]
    assert (found.output, len(found.schema.targets), found.schema.per_event) == ("score", 1, False)
    assert not found.schema.bounded


def test_a_schema_alone() -> None:
    """For a server that says nothing of shapes."""
    schema = {"inputs": [EVENTS], "output": "score", "targets": [{"name": "t"}], "bounded": True}
    found = reading(schema, inputs=(), outputs=())
    assert found.output == "score"
    assert [each.name for each in found.schema.targets] == ["t"]
    assert found.schema.bounded


def test_event_weights_are_refused() -> None:
    """Endpoints are asked for one output, so a schema that names a second one is refused, with the way out."""
    with pytest.raises(SequelaError) as caught:
        reading({"event_weights": "alpha"})
    assert caught.value.reason == "SCHEMA_DOES_NOT_FIT"
    assert "event_weights: is 'alpha'" in str(caught.value)
    assert "load the ONNX file" in str(caught.value)


def output(*axes: AxisSize, name: str = "score") -> tuple[OutputSignature, ...]:
    return (OutputSignature(name, Content.FLOATS, "FP32", axes),)


@pytest.mark.parametrize(
    ("axes", "schema", "per_event", "targets"),
    [
        ((None,), {}, False, 1),
        ((None, 1), {}, False, 1),
        ((None, 3), {}, False, 3),
        ((None, None, 2), {}, True, 2),
        ((None, None, 2, 1), {}, True, 2),
        ((None, None, 2), {"bounded": True}, True, 2),
        ((None, 12, 1), {}, False, 12),
        ((None, 12, 3), {}, False, 36),
        ((None, None), {"per_event": True}, True, 1),
        ((None, None), {"per_event": False, "targets": [{"name": "a"}, {"name": "b"}]}, False, 2),
    ],
)
def test_outputs(axes: tuple[AxisSize, ...], schema: dict[str, Any], per_event: bool, targets: int) -> None:
    """(n), (n, outputs), (n, steps, outputs), (n, events), (n, events, outputs); axes of 1 do not count."""
    found = reading(schema or None, outputs=output(*axes))
    assert (found.schema.per_event, len(found.schema.targets)) == (per_event, targets)


WRONG: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "nothing said": ({"inputs": (), "outputs": ()}, "SCHEMA_NEEDED", (URI, "schema")),
    "inputs not said": (
        {"schema": {"targets": [{"name": "t"}]}, "inputs": (), "outputs": ()},
        "SCHEMA_NEEDED",
        (SCHEMA,),
    ),
    "another name": (
        {"schema": {"inputs": [EVENTS | {"name": "evnts"}]}},
        "SCHEMA_DOES_NOT_FIT",
        (SCHEMA, "evnts"),
    ),
    "another width": (
        {"schema": {"inputs": [EVENTS | {"width": 4}]}},
        "SCHEMA_DOES_NOT_FIT",
        ("events", "4", "5"),
    ),
    "another type": (
        {"schema": {"inputs": [EVENTS | {"dtype": "float64"}]}},
        "SCHEMA_DOES_NOT_FIT",
        ("events", "float64", "float32"),
    ),
    "an input left out": (
        {"schema": {"inputs": [EVENTS]}, "inputs": (*ONE, tensor("profile", None, 2))},
        "SCHEMA_DOES_NOT_FIT",
        ("profile",),
    ),
    "an input too many": (
        {"schema": {"inputs": [EVENTS, {"name": "age", "role": "static", "dtype": "float32", "width": 1}]}},
        "SCHEMA_DOES_NOT_FIT",
        ("age",),
    ),
    "another role": (
        {"schema": {"inputs": [EVENTS | {"role": "static"}]}},
        "SCHEMA_DOES_NOT_FIT",
        ("events",),
    ),
    "another output": ({"schema": {"output": "other"}}, "SCHEMA_DOES_NOT_FIT", ("other", "score")),
    "other targets": (
        {"schema": {"targets": [{"name": "a"}, {"name": "b"}]}},
        "SCHEMA_DOES_NOT_FIT",
        ("2", "1"),
    ),
    "one target for three outputs": (
        {"schema": {"targets": [{"name": "a"}]}, "outputs": output(None, 3)},
        "SCHEMA_DOES_NOT_FIT",
        ("1", "3"),
    ),
    "steps or outputs": ({"outputs": output(None, None)}, "SCHEMA_NEEDED", ("score", "per_event")),
    "four axes": ({"outputs": output(None, None, None, 2)}, "MODEL_OUTPUT_UNSUPPORTED", ("score", "4")),
    "no axes": ({"outputs": output()}, "MODEL_OUTPUT_UNSUPPORTED", ("score", "0")),
    "too many outputs": (
        {"outputs": output(None, 11), "limits": Limits(max_columns=10)},
        "MODEL_TOO_LARGE",
        ("11", "10"),
    ),
    "too many columns": ({"limits": Limits(max_columns=4)}, "MODEL_TOO_LARGE", ("5", "4")),
    "a width that nobody knows": ({"inputs": (tensor("events", None, None, None),)}, "", ("events",)),
}


@pytest.mark.parametrize("case", WRONG)
def test_disagreements(case: str) -> None:
    """The error's reason, and the words that lead to what did not fit."""
    given, reason, words = WRONG[case]
    with pytest.raises(SequelaError) as caught:
        reading(**given)
    assert reason in ("", caught.value.reason), caught.value.message
    for word in words:
        assert word in caught.value.message


def test_a_fixed_batch_and_length() -> None:
    """As the shapes have them."""
    found = reading(inputs=(tensor("events", 4, 8, 5),))
    assert (found.sizes.batch, found.sizes.length) == (4, 8)
