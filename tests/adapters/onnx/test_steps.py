"""Whether an output has a step for each event, where its shape alone does not tell."""

from __future__ import annotations

import json

from adapters.onnx.test_schema import refusal, schema_of
from small_onnx import FLOAT, model, over_events, reduced, value


def five_of_five() -> bytes:
    """A fixed length of five and an output (n, 5): steps or classes, nothing tells."""
    inputs = [value("events", FLOAT, ["n", 5, 2])]
    return model([reduced("events", "score", [2])], inputs, [value("score", FLOAT, ["n", 5])])


def test_one_length_cannot_tell_steps_from_classes() -> None:
    """Where both are possible a schema is needed, and is believed."""
    assert refusal(five_of_five()).reason == "SCHEMA_NEEDED"
    document = {
        "inputs": [{"name": "events", "role": "events", "width": 2}],
        "features": [{"name": "f", "columns": {"events": [0, 1]}, "kind": "group"}],
    }
    steps = document | {"targets": [{"name": "score"}], "per_event": True}
    classes = document | {"targets": [{"name": f"class{k}"} for k in range(5)]}
    assert schema_of(five_of_five(), json.dumps(steps).encode()).per_event
    assert len(schema_of(five_of_five(), json.dumps(classes).encode()).targets) == 5


def test_targets_tell_steps_from_classes() -> None:
    """One for each event, or one for each class; no number of them that fits neither is taken."""
    for count, per_event in ((1, True), (5, False)):
        schema = schema_of(
            five_of_five(), json.dumps({"targets": [{"name": f"t{k}"} for k in range(count)]}).encode()
        )
        assert (schema.per_event, len(schema.targets)) == (per_event, count)
    three = json.dumps({"targets": [{"name": f"t{k}"} for k in range(3)]}).encode()
    assert refusal(five_of_five(), three).reason == "SCHEMA_NEEDED"


def test_a_schema_that_does_not_say_per_event() -> None:
    """What it leaves out is told by the model, whatever else it says."""
    steps = over_events([reduced("events", "score", [2])], value("score", FLOAT, None))
    assert schema_of(steps, b'{"output": "score"}').per_event
    assert refusal(steps, b'{"per_event": false}').reason == "SCHEMA_DOES_NOT_FIT"
