"""The hostile files are hostile in the way they say, and in no other."""

from __future__ import annotations

import re
from collections.abc import Callable

import hostile
import numpy as np
import onnx
import onnxruntime
import pytest

RUNNABLE: dict[str, Callable[[], bytes]] = {
    "plain": hostile.plain,
    "nodes": lambda: hostile.with_nodes(50),
    "hidden nodes": lambda: hostile.with_hidden_nodes(50),
    "nesting": lambda: hostile.with_nesting(20),
    "loop": lambda: hostile.with_long_loop(2),
    "memory": lambda: hostile.with_memory_bomb(1000),
    "nan": hostile.with_nan_output,
    "scalar": hostile.with_scalar_output,
    "deep": hostile.with_deep_output,
    "without inputs": hostile.without_inputs,
}

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (hostile.not_onnx, "protobuf parsing failed"),
    "truncated": (lambda: hostile.truncated(hostile.plain()), "protobuf parsing failed"),
    "empty": (hostile.without_graph, "No graph was found"),
    "custom operator": (hostile.with_custom_operator, "com.example:Backdoor"),
    "future": (hostile.from_the_future, "opset 9999"),
    "dangling": (hostile.with_dangling_input, "nobody"),
    "circle": (hostile.with_a_circle, "not acyclic"),
    "external data": (hostile.with_external_data, "External data"),
    "nested external data": (hostile.with_nested_external_data, "External data"),
    "lying weights": (hostile.with_lying_weights, "declares a size of 1099511627776 bytes"),
}


def session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", RUNNABLE)
def test_what_only_a_limit_can_stop_runs_when_small(name: str) -> None:
    """Valid models: the runtime itself takes them, so only the server's own limits stand in the way."""
    runtime = session(RUNNABLE[name]())
    feeds = {tensor.name: np.ones((2, 3, 4), dtype=np.float32) for tensor in runtime.get_inputs()}
    assert len(runtime.run(None, feeds)) == 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_broken_is_broken_in_its_own_way(name: str) -> None:
    """The runtime refuses the file, for the reason it was made for."""
    build, reason = REFUSED[name]
    with pytest.raises(Exception, match=re.compile(reason, re.IGNORECASE)):
        session(build())


def test_a_model_can_load_and_yet_fail_on_every_input() -> None:
    """The failure comes from the run, not from the load."""
    runtime = session(hostile.failing_when_run())
    with pytest.raises(Exception, match="Reshape"):
        runtime.run(None, {"events": np.ones((2, 3, 4), dtype=np.float32)})


def test_external_data_can_hide_in_an_attribute() -> None:
    """No initializer is external, and still a tensor of the graph is."""
    model = onnx.load_from_string(hostile.with_nested_external_data())
    assert not model.graph.initializer
    assert model.graph.node[0].attribute[0].t.data_location == onnx.TensorProto.EXTERNAL


def test_node_counts_are_what_was_asked_for() -> None:
    """At the top level all of them; hidden in branches one If and the mean."""
    assert len(onnx.load_from_string(hostile.with_nodes(50)).graph.node) == 50
    hidden = onnx.load_from_string(hostile.with_hidden_nodes(50)).graph.node
    assert [node.op_type for node in hidden] == ["If", "ReduceMean"]
    assert sum(len(attribute.g.node) for attribute in hidden[0].attribute) == 50
