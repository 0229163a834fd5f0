"""ONNX's own cases of its recurrent operators, run from states, against their reference outputs."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnx.backend.test.case import node as all_cases
from onnx.reference import ReferenceEvaluator
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.explain.ports import PaddingRows
from sequela.timeshap.cells import Cells
from small_onnx import FLOAT, value

KINDS = ("RNN", "GRU", "LSTM")
FORWARD = (
    *("simple_rnn_defaults", "simple_rnn_with_initial_bias", "rnn_seq_length", "simple_rnn_batchwise"),
    *("gru_defaults", "gru_with_initial_bias", "gru_seq_length", "gru_batchwise"),
    *("lstm_defaults", "lstm_with_initial_bias", "lstm_with_peepholes", "lstm_batchwise"),
)
NOT_FORWARD = {
    **dict.fromkeys(("simple_rnn_reverse", "gru_reverse", "lstm_reverse"), "runs backward"),
    **dict.fromkeys(
        ("simple_rnn_bidirectional", "gru_bidirectional", "lstm_bidirectional"), "runs in both directions"
    ),
}
WEIGHTS = ("W", "R", "B", "P")
TOLERANCE = 1e-5


@cache
def cases() -> dict[str, Any]:
    """By name without `test_`."""
    for kind in KINDS:
        import_module(f"onnx.backend.test.case.node.{kind.lower()}")  # adds its cases to the package's list
    return {
        case.name.removeprefix("test_"): case
        for case in all_cases._NodeTestCases
        if case.model is not None and {node.op_type for node in case.model.graph.node} & set(KINDS)
    }


def node_of(name: str) -> NodeProto:
    (node,) = cases()[name].model.graph.node
    return node


def is_batch_first(node: NodeProto) -> bool:
    return any(item.name == "layout" and item.i == 1 for item in node.attribute)


def given(name: str) -> dict[str, NDArray[Any]]:
    """The case's inputs by name."""
    ((inputs, _),) = cases()[name].data_sets
    return dict(zip([value.name for value in cases()[name].model.graph.input], inputs, strict=True))


def scoring(name: str) -> ModelProto:
    """The case's node as a model of events (n, l, d), its weights constants, that gives its final hidden
    state (n, directions · width). States and lengths, which the peephole case gives for two rows, follow the rows.
    """
    node, arrays = NodeProto(), given(name)
    node.CopyFrom(node_of(name))
    batch = 0 if is_batch_first(node) else 1
    nodes = []
    if batch:
        nodes.append(helper.make_node("Transpose", ["events"], ["X"], perm=[1, 0, 2]))
    else:
        node.input[0] = "events"
    constants = {key: array for key, array in arrays.items() if key in WEIGHTS}
    for key in ("initial_h", "initial_c"):
        if key in arrays:
            constants[f"{key}.one"] = arrays[key][:, :1]
            nodes += [
                helper.make_node("Shape", ["events"], [f"{key}.n"], start=0, end=1),
                helper.make_node("Concat", ["one", f"{key}.n", f"{key}.width"], [f"{key}.shape"], axis=0),
                helper.make_node("Expand", [f"{key}.one", f"{key}.shape"], [key]),
            ]
            constants |= {f"{key}.width": np.array(arrays[key].shape[-1:], dtype=np.int64)}
    if "sequence_lens" in arrays:
        nodes += [
            helper.make_node("Shape", ["events"], ["n"], start=0, end=1),
            helper.make_node("Shape", ["events"], ["l"], start=1, end=2),
            helper.make_node("Cast", ["l"], ["l.int32"], to=6),
            helper.make_node("Expand", ["l.int32", "n"], ["sequence_lens"]),
        ]
    constants |= {"one": np.array([1], dtype=np.int64), "flat": np.array([0, -1], dtype=np.int64)}
    nodes.append(node)
    if batch:
        nodes.append(helper.make_node("Transpose", ["Y_h"], ["rows"], perm=[1, 0, 2]))
    nodes.append(helper.make_node("Reshape", ["rows" if batch else "Y_h", "flat"], ["score"]))
    directions, width = arrays["R"].shape[0], arrays["R"].shape[-1]
    graph = helper.make_graph(
        nodes,
        name,
        [value("events", FLOAT, ["n", "l", arrays["X"].shape[-1]])],
        [value("score", FLOAT, ["n", directions * width])],
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@cache
def loaded(name: str) -> OnnxModel:
    return Loader().load(name, ModelBytes(scoring(name).SerializeToString(), b"", "onnx", "schema"))


def reference(name: str, events: NDArray[Any]) -> NDArray[Any]:
    """The case's own model on other events (n, l, d), by ONNX's reference implementation."""
    batch = 0 if is_batch_first(node_of(name)) else 1
    rows, length = events.shape[:2]
    feeds = given(name) | {"X": events.swapaxes(0, 1) if batch else events}
    if "sequence_lens" in feeds:
        feeds["sequence_lens"] = np.full(rows, length, dtype=np.int32)
        feeds |= {key: np.repeat(feeds[key][:, :1], rows, axis=1) for key in ("initial_h", "initial_c")}
    (state,) = ReferenceEvaluator(cases()[name].model).run(["Y_h"], feeds)
    return (state.swapaxes(0, 1) if batch else state).reshape(rows, -1)


def in_parts(name: str, events: NDArray[Any], *cuts: int) -> NDArray[np.float64]:
    recurrence = loaded(name).recurrence
    assert recurrence is not None
    *earlier, last = (Cells((events[:, start:end],)) for start, end in pairwise((0, *cuts, events.shape[1])))
    states = recurrence.initial(len(events))
    for piece in earlier:
        states = recurrence.advance(piece, states)
    return recurrence.finish(last, states)


@pytest.mark.slow
def test_no_case_is_left_out() -> None:
    """All that ONNX has for the three operators."""
    assert set(cases()) == {*FORWARD, *NOT_FORWARD}


@pytest.mark.parametrize("name", FORWARD)
def test_a_forward_case_gives_its_reference_output_from_states(name: str) -> None:
    """The final state that the case itself states for its inputs."""
    arrays, ((_, outputs),) = given(name), cases()[name].data_sets
    batch_first = is_batch_first(node_of(name))
    events = arrays["X"] if batch_first else arrays["X"].swapaxes(0, 1)
    expected = outputs[-1] if batch_first else outputs[-1].swapaxes(0, 1)
    cuts = range(1, events.shape[1])
    np.testing.assert_allclose(
        in_parts(name, events, *cuts), expected.reshape(len(events), -1), atol=TOLERANCE
    )


@pytest.mark.parametrize("name", FORWARD)
def test_a_forward_case_cut_in_two_is_the_reference_implementation(name: str) -> None:
    """On longer sequences than the cases have, cut everywhere."""
    width = given(name)["X"].shape[-1]
    events = np.random.default_rng(0).normal(size=(5, 6, width)).astype(np.float32)
    expected = reference(name, events)
    for cut in range(1, 6):
        np.testing.assert_allclose(in_parts(name, events, cut), expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", NOT_FORWARD)
def test_a_case_that_looks_ahead_is_left_whole(name: str) -> None:
    """Reverse and bidirectional nodes, named in the reason."""
    model = loaded(name)
    assert model.recurrence is None
    assert NOT_FORWARD[name] in model.execution
    width = given(name)["X"].shape[-1]
    events = np.random.default_rng(0).normal(size=(5, 6, width)).astype(np.float32)
    none = np.empty((0, width), np.float32)
    found = model.run(Cells((events,)), PaddingRows((none,), (none,)), 0)
    np.testing.assert_allclose(found, reference(name, events), atol=TOLERANCE)
