"""Builds files of `hostile_graphs` with loops, branches, functions and deep messages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hostile_builders import BOOL, EVENTS, FLOAT, INT64, LOCAL, array, model, node, scored
from onnx import FunctionProto, GraphProto, NodeProto, ValueInfoProto, helper


def scan_inputs(count: int) -> bytes:
    """A Scan that says it has more inputs than it has, or fewer than none."""
    body = helper.make_graph(
        [node("Identity", ["x"], ["y"])],
        "body",
        [helper.make_tensor_value_info("x", FLOAT, None)],
        [helper.make_tensor_value_info("y", FLOAT, None)],
    )
    return model([node("Scan", ["events"], ["all"], body=body, num_scan_inputs=count), *scored("all")])


def shadowed_body(operator: str) -> bytes:
    """A loop whose body has an input that is also an initializer of the body."""
    kinds = {"i": INT64, "go": BOOL, "x": FLOAT} if operator == "Loop" else {"x": FLOAT}
    inputs = [helper.make_tensor_value_info(name, kind, []) for name, kind in kinds.items()]
    outputs = [helper.make_tensor_value_info("y", FLOAT, None)]
    nodes = [node("Identity", ["x"], ["y"])]
    if operator == "Loop":
        outputs.insert(0, helper.make_tensor_value_info("on", BOOL, []))
        nodes.append(node("Identity", ["go"], ["on"]))
    body = helper.make_graph(
        nodes, "body", inputs, outputs, [array(np.float32(1), "x"), array(np.int64(0), "i")]
    )
    loop = (
        node("Loop", ["times", "yes", "start"], ["all"], body=body)
        if operator == "Loop"
        else node("Scan", ["events"], ["all"], body=body, num_scan_inputs=1)
    )
    constants = {"times": np.int64(3), "yes": np.bool_(True), "start": np.float32(0)}
    return model([loop, *scored("all")], constants)


def nested(depth: int) -> bytes:
    """If nodes inside If nodes, written as bytes, since the Python library refuses to make so many."""
    graph = _leaf("e0").SerializeToString()
    for level in range(1, depth + 1):
        choice = node("If", ["yes"], [f"e{level}"], else_branch=_leaf("e"))
        branch = (
            _field(1, b"then_branch") + b"\xa0\x01\x05" + _field(6, graph)
        )  # an attribute of the type GRAPH
        head = helper.make_graph([], "b", [], [helper.make_tensor_value_info(f"e{level}", FLOAT, None)])
        graph = head.SerializeToString() + _field(1, choice.SerializeToString() + _field(5, branch))
    constant = _field(5, array(np.bool_(True), "yes").SerializeToString())
    sums = b"".join(_field(1, each.SerializeToString()) for each in scored(f"e{depth}"))
    shell = helper.make_graph([], "", [EVENTS], [helper.make_tensor_value_info("score", FLOAT, None)])
    # The innermost If of the loop above is that of the whole graph, so its declared output must go.
    choice_only = graph[len(head.SerializeToString()) :] if depth else b""
    whole = shell.SerializeToString() + constant + choice_only + sums
    return b"\x08\x0a" + _field(8, helper.make_opsetid("", 20).SerializeToString()) + _field(7, whole)


def _leaf(output: str) -> GraphProto:
    declared = helper.make_tensor_value_info(output, FLOAT, None)
    return helper.make_graph([node("Identity", ["events"], [output])], "leaf", [], [declared])


def _field(number: int, content: bytes) -> bytes:
    """A field of a message, as protobuf writes it."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def function(name: str, nodes: Sequence[NodeProto]) -> FunctionProto:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(LOCAL, 1)]
    return helper.make_function(LOCAL, name, ["x"], ["y"], list(nodes), opsets)


def recursive_function(inside_if: bool = False) -> bytes:
    """A function that calls itself."""
    body = [node("F", ["x"], ["y"], domain=LOCAL)]
    if inside_if:
        output = helper.make_tensor_value_info("z", FLOAT, None)
        branch = helper.make_graph([node("F", ["x"], ["z"], domain=LOCAL)], "b", [], [output])
        body = [
            node("Constant", [], ["yes"], value=array(np.bool_(True), "")),
            node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch),
        ]
    call = node("F", ["events"], ["all"], domain=LOCAL)
    return model([call, *scored("all")], functions=[function("F", body)])


def chained_functions(depth: int, calls: int) -> bytes:
    """Functions that call the next one, once or several times: `calls ** depth` nodes when they are inlined."""
    made = [function("F0", [node("Neg", ["x"], ["y"])])]
    for level in range(1, depth):
        names = ["x", *(f"t{k}" for k in range(calls - 1)), "y"]
        made.append(
            function(f"F{level}", [node(f"F{level - 1}", [a], [b], domain=LOCAL) for a, b in pairwise(names)])
        )
    call = node(f"F{depth - 1}", ["events"], ["all"], domain=LOCAL)
    return model([call, *scored("all")], functions=made)


def endless_loop() -> bytes:
    """A loop of 2^63 - 1 steps."""
    inputs = [
        helper.make_tensor_value_info(name, kind, [])
        for name, kind in {"i": INT64, "go": BOOL, "x": FLOAT}.items()
    ]
    outputs = [helper.make_tensor_value_info("on", BOOL, []), helper.make_tensor_value_info("y", FLOAT, None)]
    nodes = [node("Identity", ["go"], ["on"]), node("Sin", ["x"], ["y"])]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    return model(
        [
            node("ReduceSum", ["events"], ["start"], keepdims=0),
            node("Loop", ["times", "yes", "start"], ["all"], body=body),
            *scored("all"),
        ],
        {"times": np.int64((1 << 63) - 1), "yes": np.bool_(True)},
    )


def deep_message(depth: int) -> bytes:
    """A type inside a type inside a type, as a tree of messages that only C++ reads without a limit."""
    parts: list[bytes] = []
    length = 0
    for _ in range(depth):
        for tag in (b"\x0a", b"\x22"):  # elem_type inside sequence_type
            parts.append(tag + _varint(length))
            length += len(parts[-1])
    tree = b"".join(reversed(parts))
    value = _field(13, ValueInfoProto(name="deep").SerializeToString() + _field(2, tree))
    return model(scored("events")) + _field(7, value)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])
