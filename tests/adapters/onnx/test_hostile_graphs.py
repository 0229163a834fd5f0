"""Graphs that cost more than they look, or that are malformed: each ends quickly, in a named error of the caller's."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import hostile
import numpy as np
import onnx
import pytest
from matrix import BY_NAME
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from sequela.adapters.model_io import fixed_sizes
from sequela.adapters.onnx import file as onnx_file
from sequela.adapters.onnx.file import read_onnx
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.onnx.output_bounds import is_bounded
from sequela.adapters.upload_engines.model_answers import REASONS
from sequela.errors import DoesNotFit, InvalidInput, SequelaError
from sequela.explain.limits import Limits
from small_onnx import FLOAT, model, over_events, reduced, same, value

SECONDS = 10.0
"""How long a refusal may take, on a busy machine. Each of these took minutes, or never ended."""
EVENTS = value("events", FLOAT, ["n", "l", 4])
SCORE = value("score", FLOAT, ["n"])


def load(content: bytes, limits: Limits | None = None) -> OnnxModel:
    return Loader(limits or Limits()).load("m", ModelBytes(content, b"", "onnx", "schema"))


def refusal(content: bytes, limits: Limits | None = None) -> SequelaError:
    started = time.monotonic()
    with pytest.raises((InvalidInput, DoesNotFit)) as caught:
        load(content, limits)
    assert time.monotonic() - started < SECONDS
    return caught.value


def constant(name: str, values: object, kind: type = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=kind), name)


def edited(change: Callable[[ModelProto], object], content: bytes = b"") -> bytes:
    found = onnx.load_from_string(content or hostile.plain())
    change(found)
    return found.SerializeToString()


def after_sigmoid(nodes: list[NodeProto], last: str, *constants: TensorProto) -> bytes:
    """A score in [0, 1] that these nodes then move about, from `s` (n, 1) to the last value."""
    axis = constant("axis", [1])
    head = [
        reduced("events", "m", [1, 2]),
        helper.make_node("Sigmoid", ["m"], ["p"]),
        helper.make_node("Unsqueeze", ["p", "axis"], ["s"]),
    ]
    tail = [helper.make_node("Squeeze", [last, "axis"], ["score"])]
    return over_events([*head, *nodes, *tail], SCORE, axis, *constants)


def concat_of_itself(times: int) -> bytes:
    nodes, name = [], "s"
    for k in range(times):
        nodes.append(helper.make_node("Concat", [name, name], [f"c{k}"], axis=1))
        nodes.append(helper.make_node("Slice", [f"c{k}", "zero", "axis", "axis"], [f"d{k}"]))
        name = f"d{k}"
    return after_sigmoid(nodes, name, constant("zero", [0]))


def chained_ifs(count: int) -> bytes:
    """Each branch returns what the node before it gave, so that there are 2^count ways back."""
    nodes, name = [], "s"
    for k in range(count):
        branches = {
            f"{side}_branch": helper.make_graph(
                [same(name, f"{side}{k}")], side, [], [helper.make_empty_tensor_value_info(f"{side}{k}")]
            )
            for side in ("then", "else")
        }
        nodes.append(helper.make_node("If", ["yes"], [f"i{k}"], **branches))
        name = f"i{k}"
    return after_sigmoid(nodes, name, constant("yes", True, bool))


def calling(depth: int, calls: int) -> bytes:
    """Functions that each call the one before so often."""
    functions = []
    for level in range(depth):
        operator, domain = (f"f{level - 1}", "own") if level else ("Identity", "")
        names = ["a", *(f"t{k}" for k in range(calls - 1)), "b"]
        nodes = [helper.make_node(operator, [x], [y], domain=domain) for x, y in pairwise(names)]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        functions.append(helper.make_function("own", f"f{level}", ["a"], ["b"], nodes, opsets))
    call = helper.make_node(f"f{depth - 1}", ["events"], ["z"], domain="own")
    return model(
        [call, reduced("z", "score", [1, 2])], [EVENTS], [SCORE], functions=functions, domains=["own"]
    )


def recursive(inside_if: bool) -> bytes:
    """A function that calls itself."""
    call = helper.make_node("f", ["a"], ["b"], domain="own")
    if inside_if:
        branch = helper.make_graph(
            [helper.make_node("f", ["a"], ["c"], domain="own")],
            "b",
            [],
            [helper.make_empty_tensor_value_info("c")],
        )
        call = helper.make_node("If", ["a"], ["b"], then_branch=branch, else_branch=branch)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    function = helper.make_function("own", "f", ["a"], ["b"], [call], opsets)
    nodes = [
        helper.make_node("f", ["events"], ["z"], domain="own"),
        reduced("z", "score", [1, 2]),
    ]
    return model(nodes, [EVENTS], [SCORE], functions=[function], domains=["own"])


def test_a_value_is_looked_at_once_however_often_it_is_repeated() -> None:
    """Concat of itself 60 times, and 60 Ifs in a row, are bounded, and found so at once."""
    for content in (concat_of_itself(60), chained_ifs(60)):
        started = time.monotonic()
        assert is_bounded(onnx.load_from_string(content), "score")
        assert time.monotonic() - started < SECONDS
    assert load(concat_of_itself(60)).info.schema.bounded


def test_bounds_are_followed_through_long_chains() -> None:
    """1,500 nodes that only move the score: loaded, and its score is still known to be in [0, 1]."""
    names = ["s", *(f"x{k}" for k in range(1_500))]
    nodes = [same(one, other) for one, other in pairwise(names)]
    assert load(after_sigmoid(nodes, names[-1])).info.schema.bounded


@pytest.mark.parametrize(
    ("content", "reason", "text"),
    [
        (calling(20, 2), "MODEL_TOO_LARGE", "2097152 nodes once its functions are inlined"),
        (calling(100, 1), "MODEL_TOO_LARGE", "more than 32 deep"),
        (recursive(False), "MODEL_NOT_RUNNABLE", "'f' of 'own' calls itself"),
        (recursive(True), "MODEL_NOT_RUNNABLE", "'f' of 'own' calls itself"),
    ],
    ids=["multiplying", "deep", "recursive", "recursive in a branch"],
)
def test_functions_are_counted_where_they_are_called(content: bytes, reason: str, text: str) -> None:
    """A file of 1,500 bytes must not become two million nodes."""
    found = refusal(content)
    assert (type(found), found.reason) == (InvalidInput, reason)
    assert text in found.message


def test_functions_that_fit_load() -> None:
    """Four levels, each calling the one before three times: 81 nodes and the calls."""
    assert load(calling(4, 3)).info.schema.features


def test_unsorted_nodes_are_sorted() -> None:
    """onnxruntime runs them in any order, so they mean the same: the same schema, and the same scores."""
    content = BY_NAME["gru"].path.read_bytes()

    def reverse(found: ModelProto) -> None:
        nodes = list(found.graph.node)[::-1]
        del found.graph.node[:]
        found.graph.node.extend(nodes)

    backwards = read_onnx(edited(reverse, content), Limits(), "onnx").model
    seen = {tensor.name for tensor in (*backwards.graph.initializer, *backwards.graph.input)} | {""}
    for node in backwards.graph.node:
        assert seen.issuperset(node.input)
        seen.update(node.output)
    one, other = load(content), load(edited(reverse, content))
    assert one.info.schema == other.info.schema
    assert one.execution == other.execution
    assert read_onnx(content, Limits(), "onnx").model.SerializeToString() == content


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (hostile.with_a_circle(), "not acyclic"),
        (over_events([same("score", "score")], SCORE), "not acyclic"),
        (
            over_events([reduced("events", "score", [1, 2]), reduced("events", "score", [1, 2])], SCORE),
            "two nodes compute",
        ),
        (edited(lambda found: found.graph.node[0].output.append("score")), "two nodes compute"),
    ],
    ids=["circle", "itself", "two nodes", "twice in one node"],
)
def test_graphs_without_an_order_are_refused(content: bytes, text: str) -> None:
    """Before anything follows their values round and round."""
    found = refusal(content)
    assert (type(found), found.reason) == (InvalidInput, "MODEL_NOT_RUNNABLE")
    assert text in found.message


@pytest.mark.parametrize("kind", [0, 99, 2**31 - 1, -1])
@pytest.mark.parametrize("place", ["input", "output", "initializer"])
def test_unknown_element_types_are_refused(place: str, kind: int) -> None:
    """Whatever number stands for the type, wherever it is."""

    def change(found: ModelProto) -> None:
        if place == "initializer":
            found.graph.initializer.add(name="w", data_type=kind, dims=[1], raw_data=bytes(4))
        else:
            getattr(found.graph, place)[0].type.tensor_type.elem_type = kind

    assert type(refusal(edited(change))) is InvalidInput


@pytest.mark.parametrize("part", [b"events", b"score", b"ReduceMean", b"hostile"])
def test_names_must_be_utf_8(part: bytes) -> None:
    """Of values, operators and graphs: the field is named, and its bytes are shown."""
    found = refusal(hostile.plain().replace(part, b"\xff\xfe" + part[2:]))
    assert (type(found), found.reason) == (InvalidInput, "MODEL_NOT_ONNX")
    assert "not UTF-8" in found.message
    assert r"\xff\xfe" in found.message


def test_notes_must_be_utf_8() -> None:
    """In the file's metadata too."""
    content = edited(lambda found: found.metadata_props.add(key="names", value="wxyz"))
    assert refusal(content.replace(b"wxyz", b"\xed\xa0\x80z")).reason == "MODEL_NOT_ONNX"


def test_attributes_may_hold_any_bytes() -> None:
    """Onnxruntime says what is wrong with a direction that is not text."""

    def change(found: ModelProto) -> None:
        node = next(node for node in found.graph.node if node.op_type == "GRU")
        node.attribute.append(helper.make_attribute("direction", b"\xff\xfe"))

    assert refusal(edited(change, BY_NAME["gru"].path.read_bytes())).reason == "MODEL_NOT_RUNNABLE"


def widths_by_value() -> bytes:
    """A row of the output is as wide as the sequence has positive cells."""
    nodes = [
        helper.make_node("Greater", ["events", "zero"], ["positive"]),
        helper.make_node("NonZero", ["positive"], ["places"]),
        helper.make_node("Shape", ["places"], ["sizes"]),
        helper.make_node("Slice", ["sizes", "one", "two"], ["width"]),
        reduced("events", "m", [1, 2]),
        helper.make_node("Unsqueeze", ["m", "one"], ["column"]),
        helper.make_node("Shape", ["m"], ["n"]),
        helper.make_node("Concat", ["n", "width"], ["shape"], axis=0),
        helper.make_node("Expand", ["column", "shape"], ["score"]),
    ]
    constants = (constant("zero", 0, np.float32), constant("one", [1]), constant("two", [2]))
    return over_events(nodes, value("score", FLOAT, ["n", "k"]), *constants)


def test_widths_that_depend_on_values_are_refused() -> None:
    """With a text that says so, not with numpy's error about axes."""
    found = refusal(widths_by_value())
    assert (type(found), found.reason) == (DoesNotFit, "MODEL_FAILED")
    assert "must not depend on what a sequence holds" in found.message


def test_what_nobody_foresaw_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure inside our reading of the graph is about the file: the caller gets its digest, the log the rest."""

    def fail(*_: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(onnx_file, "check_text", fail)
    found = refusal(hostile.plain())
    assert (type(found), found.reason) == (InvalidInput, "MODEL_NOT_UNDERSTOOD")
    assert "KeyError" in found.message
    assert "secret" not in found.message


def test_deep_trees_of_messages_are_not_followed() -> None:
    """Protobuf's own limit of 100 levels holds, for known fields and for unknown groups."""
    for content in (_groups(100_000), _sequences(20_000)):
        assert refusal(content).reason == "MODEL_NOT_ONNX"


def _groups(depth: int) -> bytes:
    return hostile.plain() + b"\xc3\x3e" * depth + b"\xc4\x3e" * depth


def _sequences(depth: int) -> bytes:
    """A type that is a sequence of sequences of sequences."""
    inner = b""
    for _ in range(depth):
        inner = _field(4, _field(1, inner))
    return hostile.plain() + _field(7, _field(13, _field(2, inner)))


def _field(number: int, content: bytes) -> bytes:
    length, size = len(content), b""
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def test_engines_pass_on_every_reason_of_loading() -> None:
    """The front refuses an engine's errors for reasons that are not in its list, so each one found here is in it."""
    folders = [Path(onnx_file.__file__).parent, Path(fixed_sizes.__file__).parent]
    source = "\n".join(file.read_text() for folder in folders for file in folder.rglob("*.py"))
    raised = set(re.findall(r'"((?:MODEL|SCHEMA)_[A-Z_]+)"', source))
    assert "MODEL_STRINGS_UNSUPPORTED" in raised
    assert raised - REASONS == set()
