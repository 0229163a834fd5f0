"""A graph tells what it takes, or is asked for a schema; a schema that does not fit says where."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from matrix import BY_NAME
from onnx import helper, numpy_helper
from sequela.adapters.model_io.schema_json import write_schema
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.schema import FeatureKind, ModelSchema
from small_onnx import BOOL, DOUBLE, FLOAT, INT32, INT64, Shape, model, over_events, reduced, scoring, value

Inputs = Mapping[str, tuple[int, Shape]]
EVENTS: tuple[int, Shape] = (FLOAT, ["n", "l", 4])


def schema_of(onnx: bytes, schema_json: bytes = b"") -> ModelSchema:
    return Loader().load("m", ModelBytes(onnx, schema_json, "onnx", "schema")).info.schema


def refusal(onnx: bytes, schema_json: bytes = b"") -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        schema_of(onnx, schema_json)
    return caught.value


ROLES: list[tuple[str, Inputs, str]] = [
    ("events", {"x": EVENTS}, "x events 4"),
    ("unnamed axes", {"x": (FLOAT, [None, None, 4])}, "x events 4"),
    ("fixed", {"x": (FLOAT, [1, 8, 4])}, "x events 4"),
    ("float64", {"x": (DOUBLE, ["n", "l", 2])}, "x events 2"),
    ("ids of rank 3", {"ids": (INT64, ["n", "l", 3])}, "ids events 3"),
    ("ids of rank 2", {"x": EVENTS, "ids": (INT32, ["n", "l"])}, "x events 4, ids events 1"),
    (
        "ids of a fixed length",
        {"x": (FLOAT, ["n", 8, 4]), "ids": (INT64, ["n", 8])},
        "x events 4, ids events 1",
    ),
    ("ids alone", {"ids": (INT64, ["n", "l"])}, "ids events 1"),
    ("univariate", {"x": (FLOAT, ["n", "l"])}, "x events 1"),
    ("univariate, fixed", {"x": (FLOAT, ["n", 30])}, "x events 1"),
    (
        "univariate and static",
        {"x": (FLOAT, ["n", "l"]), "age": (FLOAT, ["n", 2])},
        "x events 1, age static 2",
    ),
    ("static floats", {"x": EVENTS, "profile": (FLOAT, ["n", 2])}, "x events 4, profile static 2"),
    (
        "static of the events' number",
        {"x": (FLOAT, ["n", 8, 4]), "p": (FLOAT, ["n", 8])},
        "x events 4, p static 8",
    ),
    ("static ids", {"x": EVENTS, "region": (INT64, ["n"])}, "x events 4, region static 1"),
    ("static number", {"x": EVENTS, "age": (FLOAT, ["n"])}, "x events 4, age static 1"),
    ("float mask", {"x": EVENTS, "mask": (FLOAT, ["n", "l"])}, "x events 4, mask mask 1"),
    ("int mask", {"x": EVENTS, "attention_mask": (INT64, ["n", "l"])}, "x events 4, attention_mask mask 1"),
    ("bool mask", {"x": EVENTS, "valid": (BOOL, ["n", "l"])}, "x events 4, valid mask 1"),
    ("mask, other axis names", {"x": EVENTS, "mask": (BOOL, ["n", None])}, "x events 4, mask mask 1"),
    ("fixed mask", {"x": (FLOAT, ["n", 8, 4]), "mask": (FLOAT, ["n", 8])}, "x events 4, mask mask 1"),
    (
        "mask beside ids",
        {"ids": (INT64, ["n", "l"]), "mask": (INT64, ["n", "l"])},
        "ids events 1, mask mask 1",
    ),
    ("length", {"x": EVENTS, "length": (INT64, ["n"])}, "x events 4, length length 1"),
    ("seq_lens", {"x": EVENTS, "seq_lens": (INT32, ["n"])}, "x events 4, seq_lens length 1"),
    ("length of rank 2", {"x": EVENTS, "seqlen": (INT64, ["n", 1])}, "x events 4, seqlen length 1"),
    ("no length: a float", {"x": EVENTS, "length": (FLOAT, ["n"])}, "x events 4, length static 1"),
    ("no length: a word", {"x": EVENTS, "challenge": (INT64, ["n"])}, "x events 4, challenge static 1"),
]


@pytest.mark.parametrize(("inputs", "expected"), [row[1:] for row in ROLES], ids=[row[0] for row in ROLES])
def test_roles_are_inferred(inputs: Inputs, expected: str) -> None:
    """Rank, element type and name of each input tell its role and width; the model then runs with them."""
    found = schema_of(scoring(inputs)).inputs
    assert ", ".join(f"{item.name} {item.role.value} {item.width}" for item in found) == expected


def test_features_are_inferred() -> None:
    """One for each column, told apart by its input where there are several; one for each static input."""
    inputs: Inputs = {
        "x": (FLOAT, ["n", "l", 2]),
        "kind": (INT64, ["n", "l"]),
        "more": (FLOAT, ["n", "l", 1]),
        "ids": (INT32, ["n", "l", 2]),
        "profile": (FLOAT, ["n", 3]),
        "region": (INT64, ["n"]),
        "mask": (FLOAT, ["n", "l"]),
    }
    features = schema_of(scoring(inputs)).features
    assert [(feature.name, dict(feature.columns), feature.kind) for feature in features] == [
        ("x.f0", {"x": (0,)}, FeatureKind.NUMERIC),
        ("x.f1", {"x": (1,)}, FeatureKind.NUMERIC),
        ("kind", {"kind": (0,)}, FeatureKind.CATEGORICAL),
        ("more.f0", {"more": (0,)}, FeatureKind.NUMERIC),
        ("ids.0", {"ids": (0,)}, FeatureKind.CATEGORICAL),
        ("ids.1", {"ids": (1,)}, FeatureKind.CATEGORICAL),
        ("profile", {"profile": (0, 1, 2)}, FeatureKind.GROUP),
        ("region", {"region": (0,)}, FeatureKind.CATEGORICAL),
    ]


UNCLEAR: list[tuple[str, Inputs, str, str]] = [
    ("free width", {"x": (FLOAT, ["n", "l", "d"])}, "SCHEMA_NEEDED", "'x' (n, l, d)"),
    ("no events", {"age": (FLOAT, ["n"])}, "SCHEMA_NEEDED", "age (n)"),
    ("inverted mask", {"x": EVENTS, "padding_mask": (BOOL, ["n", "l"])}, "SCHEMA_NEEDED", "'padding_mask'"),
    ("free columns", {"x": (FLOAT, ["n", "l", 2, None])}, "SCHEMA_NEEDED", "'x' (n, l, 2, ?)"),
    ("one number", {"x": EVENTS, "rate": (INT64, [])}, "SCHEMA_NEEDED", '{"name": "rate", "role": "state"'),
    (
        "a cache",
        {"x": EVENTS, "past_key_values.0.key": (FLOAT, ["n", 2, "p", 4])},
        "MODEL_INPUT_UNSUPPORTED",
        "cache",
    ),
    (
        "batches",
        {"x": (FLOAT, [2, "l", 4]), "y": (FLOAT, [3, "l", 4])},
        "MODEL_INPUT_UNSUPPORTED",
        "sequences: x (2, l, 4)",
    ),
    (
        "lengths",
        {"x": (FLOAT, ["n", 8, 4]), "y": (FLOAT, ["n", 9, 4])},
        "SCHEMA_NEEDED",
        "different numbers of steps: x (n, 8, 4), y (n, 9, 4)",
    ),
]


@pytest.mark.parametrize(
    ("inputs", "reason", "text"), [row[1:] for row in UNCLEAR], ids=[row[0] for row in UNCLEAR]
)
def test_unclear_graphs_ask_for_a_schema(inputs: Inputs, reason: str, text: str) -> None:
    """What cannot be told is not guessed; the error names the input."""
    error = refusal(scoring(inputs))
    assert error.reason == reason
    assert text in error.message


def test_two_lengths_tell_steps_from_classes() -> None:
    """(n, l) follows the number of events, (n, 4) does not, whatever the graph says of its output."""
    steps = over_events([reduced("events", "score", [2])], value("score", FLOAT, None))
    classes = over_events([reduced("events", "score", [1])], value("score", FLOAT, None))
    assert (schema_of(steps).per_event, len(schema_of(steps).targets)) == (True, 1)
    assert (schema_of(classes).per_event, len(schema_of(classes).targets)) == (False, 4)


LIMITS = [
    (
        "columns",
        {"x": EVENTS, "y": (FLOAT, ["n", 5])},
        Limits(max_columns=8),
        "9 columns, but the limit is 8",
    ),
    (
        "vast columns",
        {"x": (FLOAT, ["n", "l", 1 << 40])},
        Limits(),
        "1099511627776 columns, but the limit is 4096",
    ),
    (
        "events",
        {"x": (FLOAT, ["n", 9, 4])},
        Limits(max_events=8),
        "9 events in every call, but the limit is 8",
    ),
    ("vast batch", {"x": (FLOAT, [1 << 40, "l", 1])}, Limits(), "1099511627776 numbers in every call"),
]


@pytest.mark.parametrize(
    ("inputs", "limits", "text"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS]
)
def test_sizes_are_limited(inputs: Inputs, limits: Limits, text: str) -> None:
    """Sizes that a graph or a schema declares are refused past the limits, before anything of the size is made."""
    with pytest.raises(InvalidInput, match=text) as caught:
        Loader(limits).load("m", ModelBytes(scoring(inputs), b"", "onnx", "schema"))
    assert caught.value.reason == "MODEL_TOO_LARGE"


def test_more_limits() -> None:
    """A width that only the schema declares, the number of outputs, and the schema's own size count as well."""
    free = scoring({"x": (FLOAT, ["n", "l", "d"])})
    wide = {"inputs": [{"name": "x", "role": "events", "width": 1 << 40}], "features": [], "targets": []}
    assert "1099511627776 columns" in refusal(free, json.dumps(wide).encode()).message
    many = ModelBytes(scoring({"x": EVENTS}, {"sequela.schema": "{}"}), b"", "onnx", "schema")
    with pytest.raises(InvalidInput, match="2 bytes, but the limit is 1") as caught:
        Loader(Limits(max_schema_bytes=1)).load("m", many)
    assert caught.value.reason == "SCHEMA_TOO_LARGE"
    rows = numpy_helper.from_array(np.ones((4, 4097), np.float32), "rows")
    nodes = [reduced("events", "means", [1]), helper.make_node("MatMul", ["means", "rows"], ["score"])]
    assert "4097 columns" in refusal(over_events(nodes, value("score", FLOAT, None), rows)).message


def written(onnx: bytes, change: Callable[[dict[str, Any]], object] = lambda _: None) -> bytes:
    """The inferred schema as a schema.json, changed."""
    document = json.loads(write_schema(schema_of(onnx)))
    change(document)
    return json.dumps(document).encode()


def test_metadata_names() -> None:
    """`feature_names` name the event columns, or static inputs as well; `target_names` the outputs."""
    inputs: Inputs = {"x": (FLOAT, ["n", "l", 2]), "age": (FLOAT, ["n"])}
    some = schema_of(scoring(inputs, {"feature_names": "a, b", "target_names": "fraud"}))
    every = schema_of(scoring(inputs, {"feature_names": "a,b,years"}))
    assert [feature.name for feature in some.features] == ["a", "b", "age"]
    assert [feature.name for feature in every.features] == ["a", "b", "years"]
    assert [target.name for target in some.targets] == ["fraud"]


@pytest.mark.parametrize(
    ("metadata", "reason", "text"),
    [
        (
            {"feature_names": "a,b,c"},
            "SCHEMA_DOES_NOT_FIT",
            "has 3 names, but the model has 4 columns of events",
        ),
        ({"feature_names": "a,b,c,a"}, "SCHEMA_DOES_NOT_FIT", "'a' is listed twice"),
        ({"target_names": "a,b"}, "SCHEMA_DOES_NOT_FIT", "has 2 entries, but the model has 1 outputs"),
        ({"sequela.schema": "{"}, "SCHEMA_INVALID", "metadata sequela.schema: is not valid JSON"),
    ],
)
def test_wrong_metadata_is_named(metadata: Mapping[str, str], reason: str, text: str) -> None:
    """Metadata that do not fit are refused like a schema."""
    error = refusal(scoring({"x": EVENTS}, metadata))
    assert error.reason == reason
    assert text in error.message


def test_a_schema_beats_metadata() -> None:
    """A schema.json is taken before what the file says of itself."""
    plain = scoring({"x": EVENTS})
    named = scoring({"x": EVENTS}, {"feature_names": "a,b,c,d", "target_names": "fraud"})
    assert schema_of(named, written(plain)).features[0].name == "f0"


def test_what_a_schema_leaves_out_is_filled_in() -> None:
    """Output and bound come from the graph; what the schema says of them is kept."""
    plain = scoring({"x": EVENTS})
    minimal = written(plain, lambda d: [d.pop(key) for key in ("output", "bounded", "per_event", "link")])
    assert schema_of(plain, minimal) == schema_of(plain)
    assert schema_of(plain, written(plain, lambda d: d.update(bounded=False))).bounded is False


@pytest.mark.parametrize("key", ["inputs", "features", "targets"])
def test_a_schema_may_leave_out_whole_parts(key: str) -> None:
    """What it leaves out is inferred; what it says, a feature's label for one, stays."""
    plain = scoring({"x": EVENTS})
    partly = written(plain, lambda d: (of("features[0]", label="Amount")(d), d.pop(key)))
    schema = schema_of(plain, partly)
    assert getattr(schema, key) == getattr(schema_of(plain), key)
    assert (schema.features[0].label == "Amount") == (key != "features")
    assert schema_of(plain, b"{}") == schema_of(plain)


def of(place: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    """Changes one entry, `inputs[0]` and so on, of a document."""
    key, _, number = place.rstrip("]").partition("[")
    return lambda document: document[key][int(number)].update(changes)


MISFITS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("width", of("inputs[0]", width=3), "inputs[0] 'x': width is 3, but the model takes (n, l, 4)"),
    (
        "dtype",
        of("inputs[0]", dtype="float64"),
        "inputs[0] 'x': dtype is float64, but the model takes float32",
    ),
    ("role", of("inputs[1]", role="mask"), "inputs[1] 'age': role is mask, so axes are (batch, events)"),
    ("rank", of("inputs[0]", role="length"), "inputs[0] 'x': role is length"),
    ("name", of("inputs[0]", name="y"), "inputs[0] 'y': is not an input of the model, which takes x, age"),
    ("missing input", lambda d: d["inputs"].pop(1), "inputs: the model's input 'age' (n) is missing"),
    ("input twice", lambda d: d["inputs"].append(d["inputs"][0]), "inputs: 'x' is listed twice"),
    ("no events", of("inputs[0]", role="static"), "inputs: none has the role events"),
    (
        "uncovered",
        lambda d: d["features"].pop(2),
        "features: column 2 of input 'x' is in 0 features, but must be in one",
    ),
    ("covered twice", of("features[0]", columns={"x": [1]}), "column 1 of input 'x' is in 2 features"),
    ("no such column", of("features[0]", columns={"x": [4]}), "features[0] 'f0': column 4 of 'x'"),
    ("negative column", of("features[0]", columns={"x": [-1]}), "features[0] 'f0': column -1 of 'x'"),
    (
        "no such input",
        of("features[0]", columns={"z": [0]}),
        "features[0] 'f0': 'z' is not an event input or a static input",
    ),
    ("no columns", of("features[0]", columns={}), "features[0] 'f0': it has no columns"),
    ("no name", of("features[0]", name=""), "features[0] '': its name is empty"),
    ("feature twice", of("features[0]", name="f1"), "features: 'f1' is listed twice"),
    ("numeric", of("features[0]", columns={"x": [0, 1]}), "kind is numeric, which has one column, not 2"),
    (
        "both",
        of("features[0]", columns={"x": [0], "age": [0]}),
        "its columns are in a static input and in another one",
    ),
    ("one-hot", of("features[0]", kind="one_hot", categories=["a", "b"]), "2 categories for 1 columns"),
    ("scale", of("features[0]", display={"scale": 0.0}), "display.scale is 0"),
    ("decimals", of("features[0]", display={"decimals": -1}), "display.decimals is -1, but must be from 0"),
    ("digits", of("features[0]", display={"decimals": 31}), "decimals is 31, but must be from 0 to 30"),
    (
        "targets",
        lambda d: d["targets"].append({"name": "other"}),
        "targets: has 2 entries, but the model has 1 outputs",
    ),
    ("target name", of("targets[0]", name=""), "targets[0].name: is empty"),
    ("output", lambda d: d.update(output="scores"), "output: 'scores' is not an output of the model"),
    ("per event", lambda d: d.update(per_event=True), "per_event: is true, but output 'score' has no step"),
]


@pytest.mark.parametrize(("change", "text"), [row[1:] for row in MISFITS], ids=[row[0] for row in MISFITS])
def test_a_schema_that_does_not_fit_says_where(change: Callable[[dict[str, Any]], None], text: str) -> None:
    """The error names the place in the schema, what stands there, and what the model has."""
    onnx = scoring({"x": EVENTS, "age": (FLOAT, ["n"])})
    error = refusal(onnx, written(onnx, change))
    assert error.reason == "SCHEMA_DOES_NOT_FIT"
    assert {violation.field for violation in error.violations} == {"schema"}
    assert any(text in violation.description for violation in error.violations)


def test_everything_wrong_is_said_at_once() -> None:
    """Two faulty inputs make two violations."""
    onnx = scoring({"x": EVENTS, "age": (FLOAT, ["n"])})

    def change(document: dict[str, Any]) -> None:
        document["inputs"][0]["width"] = 7
        document["inputs"][1]["dtype"] = "int64"

    assert len(refusal(onnx, written(onnx, change)).violations) == 2


def test_static_columns_are_one_feature() -> None:
    """A static input is one player, so its columns cannot be two features."""
    onnx = scoring({"x": EVENTS, "profile": (FLOAT, ["n", 2])})

    def split(document: dict[str, Any]) -> None:
        document["features"][-1] = {"name": "age", "columns": {"profile": [0]}}
        document["features"].append({"name": "tenure", "columns": {"profile": [1]}})

    assert "is one player" in refusal(onnx, written(onnx, split)).message


def test_a_schema_may_say_what_the_graph_leaves_open() -> None:
    """A free number of columns, and a mask whose name could mean padding, are believed when written down."""
    onnx = scoring({"x": (FLOAT, ["n", "l", "d"]), "pad_mask": (BOOL, ["n", "l"])})
    document = {
        "inputs": [
            {"name": "x", "role": "events", "width": 3},
            {"name": "pad_mask", "role": "mask", "dtype": "bool"},
        ],
        "features": [{"name": "all", "columns": {"x": [0, 1, 2]}, "kind": "group"}],
        "targets": [{"name": "score"}],
    }
    assert schema_of(onnx, json.dumps(document).encode()).inputs[0].width == 3


def test_another_output_may_be_explained() -> None:
    """The schema chooses among a graph's outputs; without it the one that is no hidden state."""
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    nodes = [
        reduced("events", "logits", [1]),
        helper.make_node("Mul", ["logits", "half"], ["hidden"]),
        helper.make_node("Sigmoid", ["logits"], ["p"]),
    ]
    outputs = [value("hidden", FLOAT, ["n", 4]), value("p", FLOAT, ["n", 4])]
    onnx = model(nodes, [value("events", FLOAT, ["n", "l", 4])], outputs, [half])
    chosen = schema_of(onnx, written(onnx, lambda d: (d.update(output="hidden"), d.pop("bounded"))))
    assert (schema_of(onnx).output, schema_of(onnx).bounded) == ("p", True)
    assert (chosen.output, chosen.bounded) == ("hidden", False)


@pytest.mark.parametrize(
    ("background", "text"),
    [
        ({"events": [[0.0] * 6, [0.0] * 5]}, "differ in length"),
        ({"events": [0.0] * 5}, "(1, 5)"),
        ({"event": [0.0] * 6}, "'event' is not an input"),
        ({}, "'events' was not sent"),
    ],
)
def test_default_backgrounds_are_checked(background: dict[str, Any], text: str) -> None:
    """A default background that does not fit refuses the model."""
    case = BY_NAME["one_hot"]
    document = json.loads(case.path.with_name("schema.json").read_bytes()) | {"background": background}
    error = refusal(case.path.read_bytes(), json.dumps(document).encode())
    assert text in error.message
    assert error.reason == "SCHEMA_DOES_NOT_FIT"
    assert error.message.startswith("schema: background")
