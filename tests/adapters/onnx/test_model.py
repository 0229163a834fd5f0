"""A loaded model gives what onnxruntime gives, asked by itself, for every model of the matrix."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import hostile
import numpy as np
import onnxruntime
import pytest
import small_onnx
from matrix import BY_NAME, CASES, Case
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.errors import DoesNotFit
from sequela.explain.limits import Limits
from sequela.explain.ports import PaddingRows
from sequela.timeshap.cells import Cells
from small_onnx import FLOAT, HALF, INT64, over_events, reduced, scoring, value
from sweeps import one_of_a_kind

ROWS = 6  # more than the fixed batch of four, and no multiple of it


def load(onnx: bytes, schema_json: bytes = b"", loader: Loader | None = None) -> OnnxModel:
    return (loader or Loader()).load("models/m/versions/1", ModelBytes(onnx, schema_json, "onnx", "schema"))


@cache
def loaded(name: str) -> OnnxModel:
    case = BY_NAME[name]
    schema = case.path.with_name("schema.json")
    return load(case.path.read_bytes(), schema.read_bytes() if case.has_schema else b"")


def batch_of(case: Case, length: int, rows: int = ROWS) -> tuple[Cells, dict[str, NDArray[Any]]]:
    """The same sequences as the core holds them, and as the independent scorer takes them."""
    samples = [case.sample(length, seed) for seed in range(rows)]
    arrays = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    cells = Cells(
        tuple(arrays[item.name] for item in case.inputs if item.role == "events"),
        tuple(arrays[item.name] for item in case.inputs if item.role == "static"),
    )
    return cells, arrays


def frame_of(case: Case, length: int) -> PaddingRows:
    """What fills the sequence up to the model's fixed length, as the case says."""
    missing = (case.steps or length) - length
    counts = (missing, 0) if case.padding == "left" else (0, missing)
    items = [item for item in case.inputs if item.role == "events"]
    sides = [
        tuple(np.full((count, item.width), item.pad_value, item.dtype) for item in items) for count in counts
    ]
    return PaddingRows(*sides)


def rows_of(cells: Cells, chosen: slice) -> Cells:
    return Cells(tuple(a[chosen] for a in cells.events), tuple(a[chosen] for a in cells.static))


def no_frame(cells: Cells) -> PaddingRows:
    empty = tuple(np.empty((0, a.shape[-1]), a.dtype) for a in cells.events)
    return PaddingRows(empty, empty)


def events(*shape: int) -> Cells:
    return Cells((np.random.default_rng(0).normal(size=shape).astype(np.float32),))


@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_schema_is_what_the_model_is(case: Case) -> None:
    """Inputs, features, output and fixed length are those that the matrix knows, each field filled in."""
    model = loaded(case.name)
    schema = model.info.schema
    found = {item.name: (item.role.value, item.width, item.dtype.value) for item in schema.inputs}
    assert found == {item.name: (item.role, item.width, item.dtype) for item in case.inputs}
    assert {f.name: {k: list(v) for k, v in f.columns.items()} for f in schema.features} == case.features
    assert len(schema.targets) == len(case.targets)
    assert (model.info.fixed_length, schema.per_event, schema.output) == (case.steps, case.per_event, "score")
    assert schema.bounded == (case.name not in ("regression", "constant") and not case.name.endswith("64"))


@pytest.mark.parametrize("length", [pytest.param(1, marks=pytest.mark.slow), 5])
@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_run_equals_onnxruntime(case: Case, length: int) -> None:
    """A padded batch gives what onnxruntime gives when asked directly, at the newest event and before."""
    cells, arrays = batch_of(case, length)
    for output_event in (0, 1 - length) if case.per_event else (0,):
        got = loaded(case.name).run(cells, frame_of(case, length), output_event)
        expected = case.scorer(output_event)(arrays)
        assert got.dtype == np.float64
        assert got.shape == (ROWS, len(case.targets))
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_batch_equals_single_runs(case: Case) -> None:
    """Rows of a batch do not influence each other, beyond float noise."""
    model, padding = loaded(case.name), frame_of(case, 4)
    cells, _ = batch_of(case, 4)
    together = model.run(cells, padding, 0)
    alone = [model.run(rows_of(cells, slice(row, row + 1)), padding, 0) for row in range(ROWS)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=0, atol=case.tolerance)
    assert not model.info.warnings
    assert f"onnxruntime {onnxruntime.__version__}, CPU, threads: 1" in model.execution


@pytest.mark.parametrize("name", ["masked", "lengths"])
def test_padding_equals_none(name: str) -> None:
    """Padding that mask or length mark leaves the score that of the real events alone, whatever it holds."""
    case = BY_NAME[name]
    cells, _ = batch_of(case, 5)
    odd = np.full((3, 4), 7.5, np.float32)
    padded = loaded(name).run(cells, PaddingRows((odd[:0],), (odd,)), 0)
    np.testing.assert_allclose(padded, loaded(name).run(cells, no_frame(cells), 0), atol=1e-6)


@pytest.mark.parametrize("name", ["masked64", "fixed_right", "fixed_lengths"])
def test_values_of_marked_padding_do_not_matter(name: str) -> None:
    """On either side, the values of padding that mask or length mark are never seen."""
    case = BY_NAME[name]
    cells, _ = batch_of(case, 5)
    usual = frame_of(case, 5)
    odd = PaddingRows(*(tuple(side + 7 for side in sides) for sides in (usual.before, usual.after)))
    model = loaded(name)
    np.testing.assert_allclose(model.run(cells, odd, 0), model.run(cells, usual, 0), atol=1e-6)


def test_padding_value_matters_without_a_mask() -> None:
    """A fixed-length model without a mask sees the padding's values as they are."""
    case = BY_NAME["fixed_pad_value"]
    cells, _ = batch_of(case, 5)
    other = PaddingRows((np.zeros((3, 4), np.float32),), (np.empty((0, 4), np.float32),))
    model = loaded(case.name)
    assert not np.allclose(model.run(cells, frame_of(case, 5), 0), model.run(cells, other, 0), atol=1e-6)


def test_threads_share_a_model() -> None:
    """Runs in eight threads at once give what one thread gives, bit for bit."""
    case = BY_NAME["multi_input"]
    model = loaded(case.name)
    jobs = [batch_of(case, length)[0] for length in (3, 4, 5, 6) * 8]
    expected = [model.run(cells, no_frame(cells), 0) for cells in jobs]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda cells: model.run(cells, no_frame(cells), 0), jobs))
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_half_precision_inputs_and_outputs() -> None:
    """float16 models take float32 features; their scores come as float64."""
    model = load(scoring({"events": (HALF, ["n", "l", 4])}, kind=HALF))
    cells = events(2, 3, 4)
    assert model.info.schema.inputs[0].dtype.value == "float32"
    got = model.run(cells, no_frame(cells), 0)
    assert got.dtype == np.float64
    expected = 1 / (1 + np.exp(-cells.events[0].mean(axis=(1, 2)) / 10))
    np.testing.assert_allclose(got[:, 0], expected, atol=2e-3)


def test_outputs_of_whole_numbers() -> None:
    """A class id as output is a number like any other."""
    nodes = [
        reduced("events", "classes", [1]),
        helper.make_node("ArgMax", ["classes"], ["score"], axis=1, keepdims=1),
    ]
    cells = events(5, 3, 4)
    got = load(over_events(nodes, value("score", INT64, ["n", 1]))).run(cells, no_frame(cells), 0)
    np.testing.assert_array_equal(got[:, 0], cells.events[0].mean(axis=1).argmax(axis=1))


def test_unknown_category_says_so() -> None:
    """An id that no embedding has fails in one line, without a path of onnxruntime's sources."""
    case = BY_NAME["multi_input"]
    cells, _ = batch_of(case, 4)
    cells.events[1][2, 1, 0] = 999
    with pytest.raises(DoesNotFit, match=r"idx=999 must be within") as caught:
        loaded(case.name).run(cells, no_frame(cells), 0)
    assert caught.value.reason == "MODEL_FAILED"
    assert "\n" not in caught.value.message
    assert ".cc" not in caught.value.message


def test_scores_that_are_not_finite_are_refused() -> None:
    """NaN never leaves the model; the error names the target."""
    cells = events(2, 3, 4)
    with pytest.raises(DoesNotFit, match="'score'") as caught:
        load(hostile.with_nan_output()).run(cells, no_frame(cells), 0)
    assert caught.value.reason == "MODEL_OUTPUT_NOT_FINITE"


def test_endless_models_are_stopped() -> None:
    """A call past the limit of time is stopped, and the error names the limit."""
    with pytest.raises(DoesNotFit, match=r"after 0\.2 s") as caught:
        load(hostile.with_long_loop(1 << 40), loader=Loader(Limits(max_model_call_seconds=0.2)))
    assert caught.value.reason == "MODEL_TOO_SLOW"


def test_memory_is_bounded() -> None:
    """A model that asks for more than the limit fails by itself; half as much is granted."""
    loader = Loader(Limits(max_model_memory_bytes=32 << 20))
    assert load(hostile.with_memory_bomb(4 << 20), loader=loader)
    with pytest.raises(DoesNotFit, match="Available memory") as caught:
        load(hostile.with_memory_bomb(16 << 20), loader=loader)
    assert caught.value.reason == "MODEL_FAILED"


def test_models_that_need_many_events() -> None:
    """A convolution over nine events loads although two are too few; with too few it fails by name."""
    weights = np.full((1, 4, 9), 0.1, np.float32)
    nodes = [
        helper.make_node("Transpose", ["events"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["columns", "w"], ["windows"]),
        reduced("windows", "score", [1, 2], "ReduceMax"),
    ]
    model = load(over_events(nodes, value("score", FLOAT, ["n"]), numpy_helper.from_array(weights, "w")))
    short, long = events(1, 3, 4), events(1, 9, 4)
    np.testing.assert_allclose(model.run(long, no_frame(long), 0), [[long.events[0].sum() / 10]], rtol=1e-5)
    with pytest.raises(DoesNotFit) as caught:
        model.run(short, no_frame(short), 0)
    assert caught.value.reason == "MODEL_FAILED"


def test_default_background_comes_from_the_schema() -> None:
    """The schema's background, in the model's own element type."""
    background = loaded("one_hot").info.default_background
    assert background is not None
    np.testing.assert_array_equal(
        background.rows["events"], np.array([[0.1, 0, 1, 0, -0.2, 0.3]], np.float32), strict=True
    )
    assert loaded("gru").info.default_background is None


def test_other_axes_of_outputs() -> None:
    """(n, 1, outputs) is one value per output; the number of events and of sequences may be 1."""
    nodes = [helper.make_node("ReduceMean", ["events"], ["score"], axes=[1], keepdims=1)]
    model = load(over_events(nodes, value("score", FLOAT, None)))
    cells = events(2, 1, 4)
    assert not model.info.schema.per_event
    np.testing.assert_allclose(model.run(cells, no_frame(cells), 0), cells.events[0][:, 0], rtol=1e-6)


def test_bounded_reaches_through_moves() -> None:
    """Sigmoids that are concatenated and cast stay bounded; once something is added they do not."""
    nodes = [
        reduced("events", "logits", [1]),
        helper.make_node("Sigmoid", ["logits"], ["p"]),
        helper.make_node("Softmax", ["logits"], ["q"], axis=1),
        helper.make_node("Concat", ["p", "q"], ["both"], axis=1),
        helper.make_node("Cast", ["both"], ["cast"], to=TensorProto.DOUBLE),
    ]
    bounded = load(
        over_events([*nodes, small_onnx.same("cast", "score")], value("score", TensorProto.DOUBLE, ["n", 8]))
    )
    added = load(
        over_events(
            [*nodes, helper.make_node("Add", ["cast", "cast"], ["score"])],
            value("score", TensorProto.DOUBLE, ["n", 8]),
        )
    )
    assert (bounded.info.schema.bounded, added.info.schema.bounded) == (True, False)


def test_models_that_take_one_sequence_and_say_otherwise() -> None:
    """A graph with a free batch that works for a batch of 1 only is run one sequence at a time."""
    state = numpy_helper.from_array(np.zeros((1, 1, 3), np.float32), "state")
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (1, 3, 4)), ("r", (1, 3, 3)))
    ]
    nodes = [
        helper.make_node("Transpose", ["events"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("RNN", ["steps", "w", "r", "", "", "state"], ["", "last"], hidden_size=3),
        reduced("last", "score", [0]),
    ]
    model = load(over_events(nodes, value("score", FLOAT, ["n", 3]), state, *weights))
    cells = events(5, 3, 4)
    got = model.run(cells, no_frame(cells), 0)
    hidden = np.zeros((5, 3))
    for step in range(3):
        inputs = cells.events[0][:, step] @ numpy_helper.to_array(weights[0])[0].T
        hidden = np.tanh(inputs + hidden @ numpy_helper.to_array(weights[1])[0].T)
    np.testing.assert_allclose(got, hidden, atol=1e-5)
    assert "sequences in every call: 1" in model.execution
