"""Which axes, states, masks and lengths are recognised in a graph, and what is asked for where nothing tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from matrix import BY_NAME
from onnx import helper, numpy_helper
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.onnx.probe import no_padding
from sequela.errors import DoesNotFit, SequelaError
from sequela.explain.limits import Limits
from sequela.timeshap.cells import Cells
from small_onnx import BOOL, FLOAT, HALF, INT64, Shape, model, reduced, scoring, value

UINT8 = 2
Inputs = Mapping[str, tuple[int, Shape]]


def loaded(onnx: bytes, schema: Mapping[str, Any] | None = None, limits: Limits | None = None) -> OnnxModel:
    text = json.dumps(schema).encode() if schema else b""
    return Loader(limits or Limits()).load("m", ModelBytes(onnx, text, "onnx", "schema"))


def refused(onnx: bytes, schema: Mapping[str, Any] | None = None) -> SequelaError:
    with pytest.raises(SequelaError) as caught:
        loaded(onnx, schema)
    return caught.value


def entry(name: str, role: str = "events", **more: Any) -> dict[str, Any]:
    return {"name": name, "role": role, **more}


ORDERS: list[tuple[Shape, str]] = [
    (["n", "l", 3], ""),
    ([None, None, 3], ""),
    (["batch", "seq_len", 3], ""),
    ([1, 8, 3], ""),
    (["n", 3, "l"], "batch features time"),
    ([None, 3, None], "batch features time"),
    (["batch_size", 3, "sequence"], "batch features time"),
    (["samples", 3, "x_dynamic_axes_1"], "batch features time"),
]


@pytest.mark.parametrize(("axes", "expected"), ORDERS, ids=[str(row[0]) for row in ORDERS])
def test_the_order_of_axes(axes: Shape, expected: str) -> None:
    """By names, and by what is free: columns never are."""
    found = loaded(scoring({"x": (FLOAT, axes)}))
    (item,) = found.info.schema.inputs
    assert (item.width, " ".join(item.axes)) == (3, expected)
    assert [warning.reason for warning in found.info.warnings] == (["LAYOUT_RECOGNISED"] if expected else [])


def by_convolution(axes: Shape, columns: int) -> bytes:
    """A convolution that reads the input as it is."""
    weights = numpy_helper.from_array(np.ones((2, columns, 1), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), reduced("c", "score", [1, 2])]
    return model(nodes, [value("x", FLOAT, axes)], [value("score", FLOAT, ["n"])], [weights])


def test_a_schemas_width_decides_between_two_orders() -> None:
    """(n, 3, 8) into a convolution is asked about, unless the schema says how many columns there are."""
    onnx = by_convolution(["n", 3, 8], 3)
    assert refused(onnx).reason == "SCHEMA_NEEDED"
    turned = loaded(onnx, {"inputs": [entry("x", width=3)]})
    assert (turned.info.fixed_length, turned.info.schema.inputs[0].axes) == (8, ("batch", "features", "time"))
    usual = loaded(onnx, {"inputs": [entry("x", width=8)]})
    assert (usual.info.fixed_length, usual.info.schema.inputs[0].axes) == (3, ())
    assert refused(onnx, {"inputs": [entry("x", width=5)]}).reason == "SCHEMA_DOES_NOT_FIT"


def test_one_column_before_the_events() -> None:
    """(n, 1, 8) into a convolution: eight events, for a sequence of one event is none."""
    assert loaded(by_convolution(["n", 1, 8], 1)).info.fixed_length == 8


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("twice", entry("x", width=3, axes=["batch", "time", "time"]), "each once"),
    ("no time", entry("x", width=3, axes=["batch", "features"]), "time is missing"),
    ("too few", entry("x", width=3, axes=["batch", "time"]), "axes: there are 2, but the model takes"),
    ("shape", entry("x", width=3, shape=[3, 1]), "2 axes behind batch and time"),
    ("shape of a mask", entry("x", "mask", shape=[3]), "must be left out for an input with the role mask"),
    ("NaN in integers", entry("x", dtype="int64", width=3, allow_nan=True), "holds no NaN"),
]


@pytest.mark.parametrize(("item", "text"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_axes_are_named(item: dict[str, Any], text: str) -> None:
    """The place in the schema, what stands there, and what may."""
    error = refused(scoring({"x": (FLOAT, ["n", "l", 3])}), {"inputs": [item]})
    assert error.reason == "SCHEMA_DOES_NOT_FIT"
    assert text in error.message


def test_misleading_names_of_axes() -> None:
    """A GRU runs along the axis called N, and the model runs only if that one counts events."""
    case = BY_NAME["gru"]
    graph = onnx.load(case.path)
    for axis, name in enumerate(("T", "N")):
        graph.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    graph.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "T"
    found, usual = loaded(graph.SerializeToString()), loaded(case.path.read_bytes())
    assert found.info.schema.inputs == usual.info.schema.inputs
    assert not found.info.warnings
    cells = Cells((case.sample(5)["events"][None],))
    np.testing.assert_array_equal(*(each.run(cells, no_padding(cells), 0) for each in (found, usual)))


def test_a_word_that_is_no_axis() -> None:
    """The schema's reader lists the words."""
    error = refused(
        scoring({"x": (FLOAT, ["n", "l", 3])}), {"inputs": [entry("x", axes=["batch", "length"])]}
    )
    assert "inputs[0].axes[1]" in error.message


def test_two_sequences_of_different_lengths() -> None:
    """A fixed number of steps beside a free one, and a name, tell; else the schema to paste is in the message."""
    free = loaded(scoring({"x": (FLOAT, ["n", "l", 3]), "z": (FLOAT, ["n", 4, 2])}))
    named = loaded(scoring({"past": (FLOAT, ["n", 8, 3]), "decoder_inputs": (FLOAT, ["n", 4, 2])}))
    for found in (free, named):
        second = found.info.schema.inputs[1]
        assert (second.role.value, second.shape, second.width) == ("static", (4, 2), 8)
    onnx = scoring({"x": (FLOAT, ["n", 8, 3]), "z": (FLOAT, ["n", 4, 2])})
    error = refused(onnx)
    pasted = error.message[error.message.index('"inputs"') :]
    again = loaded(onnx, json.loads("{" + pasted + "}"))
    assert [item.role.value for item in again.info.schema.inputs] == ["events", "static"]


def masked(name: str, kind: int, shown: float) -> bytes:
    """A mean over the events where the mask is `shown`."""
    number = numpy_helper.from_array(np.array(shown, np.float32), "shown")
    last = numpy_helper.from_array(np.array([2]), "last")
    tiny = numpy_helper.from_array(np.array(1e-6, np.float32), "tiny")
    nodes = [
        helper.make_node("Cast", [name], ["m"], to=FLOAT),
        helper.make_node("Equal", ["m", "shown"], ["kept"]),
        helper.make_node("Cast", ["kept"], ["weight"], to=FLOAT),
        helper.make_node("Unsqueeze", ["weight", "last"], ["column"]),
        helper.make_node("Mul", ["x", "column"], ["seen"]),
        reduced("seen", "total", [1, 2]),
        reduced("weight", "count", [1]),
        helper.make_node("Add", ["count", "tiny"], ["some"]),
        helper.make_node("Div", ["total", "some"], ["score"]),
    ]
    inputs = [value("x", FLOAT, ["n", "l", 3]), value(name, kind, ["n", "l"])]
    return model(nodes, inputs, [value("score", FLOAT, ["n"])], [number, last, tiny])


@pytest.mark.parametrize(("shown", "pad_value"), [(1.0, 0.0), (0.0, 1.0)])
def test_what_a_mask_marks_is_tried(shown: float, pad_value: float) -> None:
    """Padding must not reach the output. A schema that says the opposite is refused."""
    onnx = masked("mask", BOOL, shown)
    found = loaded(onnx)
    mask = found.info.schema.inputs[1]
    assert mask.pad_value == pad_value
    assert [warning.reason for warning in found.info.warnings] == (["MASK_RECOGNISED"] if pad_value else [])
    rows = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    cells = Cells((rows,))
    expected = rows.mean(axis=(1, 2))
    np.testing.assert_allclose(found.run(cells, no_padding(cells), 0)[:, 0], expected, rtol=1e-4)
    said = [entry("x", width=3), entry("mask", "mask", dtype="bool", pad_value=1.0 - pad_value)]
    error = refused(onnx, {"inputs": said})
    assert f"takes {pad_value:g} for padding" in error.message


def counted(name: str) -> bytes:
    """A sum over the first events, as many as an input of integers says."""
    constants = {"zero": np.array(0), "one": np.array(1), "last": np.array([1]), "two": np.array([2])}
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["length"]),
        helper.make_node("Range", ["zero", "length", "one"], ["place"]),
        helper.make_node("Unsqueeze", [name, "last"], ["most"]),
        helper.make_node("Less", ["place", "most"], ["kept"]),
        helper.make_node("Cast", ["kept"], ["weight"], to=FLOAT),
        helper.make_node("Unsqueeze", ["weight", "two"], ["column"]),
        helper.make_node("Mul", ["x", "column"], ["seen"]),
        reduced("seen", "score", [1, 2]),
    ]
    inputs = [value("x", FLOAT, ["n", "l", 3]), value(name, INT64, ["n"])]
    arrays = [numpy_helper.from_array(array, each) for each, array in constants.items()]
    return model(nodes, inputs, [value("score", FLOAT, ["n"])], arrays)


@pytest.mark.parametrize(
    ("onnx", "role", "said"),
    [
        (counted("m"), "static", "'m' do not change the output, so it is probably the number of real events"),
        (masked("real", FLOAT, 1.0), "events", "for which 'real' is 0 do not change the output"),
        (masked("absent", INT64, 0.0), "events", "for which 'absent' is 1 do not change the output"),
    ],
)
def test_what_hides_events_is_not_taken_for_values_silently(onnx: bytes, role: str, said: str) -> None:
    """Names and types do not show that an input marks padding, but trial runs do. The entry in the warning does it."""
    found = loaded(onnx)
    assert found.info.schema.inputs[1].role.value == role
    (warning,) = found.info.warnings
    assert warning.reason == "LAYOUT_SUSPECTED"
    assert said in warning.message
    pasted = "{" + warning.message[warning.message.index('"inputs"') :].removesuffix(".") + "}"
    again = loaded(onnx, json.loads(pasted))
    assert again.info.schema.inputs[1].role.value in ("length", "mask")
    assert not again.info.warnings


def test_ids_and_columns_that_hide_nothing_are_not_suspected() -> None:
    """Also if the model ignores events by itself."""
    plain = scoring({"x": (FLOAT, ["n", "l", 3]), "kind": (INT64, ["n"]), "hour": (FLOAT, ["n", "l"])})
    assert not loaded(plain).info.warnings


def test_a_mask_that_hides_nothing_is_said() -> None:
    """Nothing proves what it marks."""
    found = loaded(scoring({"x": (FLOAT, ["n", "l", 3]), "mask": (FLOAT, ["n", "l"])}))
    assert "MASK_NOT_PROVEN" in {warning.reason for warning in found.info.warnings}


def test_a_value_that_a_small_type_does_not_hold() -> None:
    """float16 and uint8 are cast on their way in; what they cannot hold is refused, not wrapped."""
    half, small = (
        loaded(scoring({"x": (HALF, ["n", "l", 1])})),
        loaded(scoring({"x": (UINT8, ["n", "l", 1])})),
    )
    for found, fits, past in ((half, 65504.0, 70_000.0), (small, 255, 256)):
        for number in (fits, past):
            cells = Cells((np.full((1, 2, 1), number, found.info.schema.inputs[0].dtype.value),))
            if number == fits:
                found.run(cells, no_padding(cells), 0)
            else:
                with pytest.raises(DoesNotFit, match="does not fit") as caught:
                    found.run(cells, no_padding(cells), 0)
                assert caught.value.reason == "VALUE_OUT_OF_RANGE"


def at_most(events: int) -> bytes:
    """A table of so many positions is added: no other number of events runs."""
    table = numpy_helper.from_array(np.ones((1, events, 3), np.float32), "table")
    nodes = [helper.make_node("Add", ["x", "table"], ["sum"]), reduced("sum", "score", [1, 2])]
    return model(nodes, [value("x", FLOAT, ["n", "l", 3])], [value("score", FLOAT, ["n"])], [table])


def test_lengths_that_failed_are_said() -> None:
    """With the way out, which works; a trial length that is not said is in no message."""
    onnx = at_most(137)
    error = refused(onnx)
    assert error.reason == "MODEL_FAILED"
    assert "(2, 16, 64, 100," in error.message
    assert "trial_length" in error.message
    assert loaded(onnx, {"trial_length": 137}).info.schema.trial_length == 137
    assert "128" not in error.message
    assert "10000" in refused(onnx, {"trial_length": 20_000}).message
    fixed = scoring({"x": (FLOAT, ["n", 8, 3])})
    assert "8 events in every call" in refused(fixed, {"trial_length": 9}).message


def test_trials_keep_to_the_limit_of_events() -> None:
    """No trial is longer than a request may be."""
    with pytest.raises(DoesNotFit) as caught:
        loaded(at_most(137), limits=Limits(max_events=150))
    assert "150" not in caught.value.message


def test_an_optimizer_that_ends_the_process_is_off() -> None:
    """A transposition of the batch, a cast and a product: onnxruntime's fusion of them crashes."""
    weights = numpy_helper.from_array(np.ones((3, 2), np.float32), "w")
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("Cast", ["t"], ["c"], to=FLOAT),
        helper.make_node("MatMul", ["c", "w"], ["p"]),
        reduced("p", "score", [0, 2]),
    ]
    onnx = model(nodes, [value("x", HALF, ["n", "l", 3])], [value("score", FLOAT, ["n"])], [weights])
    assert loaded(onnx).info.schema.inputs[0].width == 3


def test_lengths_are_known_by_their_use() -> None:
    """Whatever their name: a recurrent node takes them for numbers of events."""
    rng = np.random.default_rng(0)
    shapes = {"w": (1, 4, 3), "r": (1, 4, 4), "b": (1, 8)}
    weights = [numpy_helper.from_array(rng.normal(size=s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("Cast", ["how_many"], ["many"], to=6),
        helper.make_node("RNN", ["t", "w", "r", "b", "many"], ["", "h"], hidden_size=4),
        reduced("h", "score", [0, 2]),
    ]
    inputs = [value("x", FLOAT, ["n", "l", 3]), value("how_many", INT64, ["n"])]
    found = loaded(model(nodes, inputs, [value("score", FLOAT, ["n"])], weights))
    assert found.info.schema.inputs[1].role.value == "length"


def steps_of_a_recurrent_layer(axes: Shape) -> bytes:
    """An RNN over the first axis, and its output at every step."""
    rng = np.random.default_rng(0)
    shapes = {"w": (1, 4, 3), "r": (1, 4, 4), "b": (1, 8)}
    weights = [numpy_helper.from_array(rng.normal(size=s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("RNN", ["x", "w", "r", "b"], ["h"], hidden_size=4),
        reduced("h", "score", [1, 3]),
    ]
    return model(nodes, [value("x", FLOAT, axes)], [value("score", FLOAT, None)], weights)


def test_steps_along_the_first_axis_are_asked_about() -> None:
    """Both readings run, and in one of them rows influence each other: forgotten, or meant? Both lines are there."""
    onnx = steps_of_a_recurrent_layer([None, None, 3])
    error = refused(onnx)
    assert error.reason == "SCHEMA_NEEDED"
    assert '"axes": ["time", "batch", "features"]' in error.message
    assert '"axes": ["batch", "time", "features"]' in error.message
    assert "batch_first" in error.message
    rows = np.random.default_rng(1).normal(size=(2, 5, 3)).astype(np.float32)
    cells = Cells((rows,))
    steps = {"per_event": True}
    turned = loaded(onnx, {"inputs": [entry("x", width=3, axes=["time", "batch", "features"])], **steps})
    named = loaded(steps_of_a_recurrent_layer(["l", "n", 3]))
    for found in (turned, named):
        assert found.info.schema.per_event
        whole = found.run(cells, no_padding(cells), 0)
        alone = [found.run(Cells((rows[i : i + 1],)), no_padding(cells), 0)[0] for i in (0, 1)]
        np.testing.assert_allclose(whole, alone, rtol=1e-5)
        moved = Cells(
            (rows + np.eye(5, 1, dtype=np.float32)[None],)
        )  # the oldest event reaches the last step
        assert np.abs(found.run(moved, no_padding(cells), 0) - whole).max() > 1e-4
    usual = loaded(onnx, {"inputs": [entry("x", width=3, axes=["batch", "time", "features"])], **steps})
    assert "influence each other" in usual.execution


@pytest.mark.parametrize("future", [[[1, 2], [3, 4], [5, 6], [7, 8]], [1, 2, 3, 4, 5, 6, 7, 8]])
def test_a_default_background_in_the_inputs_shape(future: Any) -> None:
    """As it is, or flat."""
    onnx = scoring({"past": (FLOAT, ["n", 8, 3]), "future": (FLOAT, ["n", 4, 2])})
    found = loaded(onnx, {"background": {"past": [0, 0, 0], "future": future}}).info.default_background
    assert found is not None
    np.testing.assert_array_equal(found.static["future"], np.arange(1, 9))


@pytest.mark.parametrize(
    ("name", "back", "role"), [("state", "state_out", "state"), ("state", "hidden", "static")]
)
def test_a_state_is_given_back(name: str, back: str, role: str) -> None:
    """Without a recurrent node that starts from it, an input (n, 6) is a state only where it comes out again."""
    nodes = [
        reduced("x", "mean", [1]),
        helper.make_node("Concat", ["mean", name], ["all"], axis=1),
        reduced("all", "score", [1]),
        helper.make_node("Identity", [name], [back]),
    ]
    inputs = [value("x", FLOAT, ["n", "l", 3]), value(name, FLOAT, ["n", 6])]
    onnx = model(nodes, inputs, [value("score", FLOAT, ["n"]), value(back, FLOAT, ["n", 6])])
    assert loaded(onnx, {"output": "score"}).info.schema.inputs[1].role.value == role


def test_a_flat_window_is_suspected() -> None:
    """(n, 18) of floats is read as 18 events, and that is said; a free number of events is no window."""
    for size, reasons in ((18, ["LAYOUT_SUSPECTED"]), ("l", [])):
        assert [each.reason for each in loaded(scoring({"x": (FLOAT, ["n", size])})).info.warnings] == reasons
