"""Convolutions, pools and models with steps along the last axis of their output (n, targets, events)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from field import models
from field.asking import SEQUENCE, Explain, refusal
from field.parts import UNITS, WIDTH, built, constant, node, weights
from field.truth import truth
from numpy.typing import NDArray
from onnx import NodeProto
from sequela_client import Explanation
from small_onnx import FLOAT, Shape, value

EIGHT = np.random.default_rng(8).normal(size=(8, WIDTH)).astype(np.float32)
CHANNELS_FIRST = (
    '"inputs": [{"name": "x", "role": "events", "width": 3, "axes": ["batch", "features", "time"]}]'
)


def turned(sequence: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    return {"x": sequence.T[None].astype(np.float32)}


def convolving(targets: int, length: int | str) -> bytes:
    """A temporal convolution network's head: (n, 3, l) to (n, targets, l)."""
    nodes = [
        node("Conv", ["x", "w1"], "hidden", kernel_shape=[3], pads=[1, 1]),
        node("Tanh", ["hidden"], "bent"),
        node("Conv", ["bent", "w2"], "logit", kernel_shape=[1]),
        node("Sigmoid", ["logit"], "score"),
    ]
    stored = [constant("w1", weights(UNITS, WIDTH, 3)), constant("w2", weights(targets, UNITS, 1, scale=1.5))]
    inputs = [value("x", FLOAT, ("n", WIDTH, length))]
    return built(nodes, stored, inputs=inputs, outputs=[value("score", FLOAT, None)])


def assert_last_steps(
    answer: Explanation, content: bytes, sequence: NDArray[Any], targets: int, **given: Any
) -> None:
    """Each target's attributions are those of its last step."""
    assert len(answer.targets) == targets
    for number in range(targets):
        name = "score" if targets == 1 else f"output{number}"
        part = answer.target(name)
        wanted = truth(content, sequence, column=(number + 1) * len(sequence) - 1, **given)
        assert part.score == pytest.approx(wanted.score, abs=1e-6)
        found = [each.value for each in sorted(part.events, key=lambda event: event.t)]
        np.testing.assert_allclose(found, wanted.events, atol=1e-6, rtol=0)


# Before: "is neither (n), (n, outputs), ...", without a way out but another model.
@pytest.mark.parametrize("targets", [1, 2])
def test_steps_behind_targets(explain: Explain, targets: int) -> None:
    content = convolving(targets, "l")
    assert_last_steps(explain(content, SEQUENCE), content, SEQUENCE, targets, feed=turned)


def test_classes_before_steps_of_a_recurrent_model(explain: Explain) -> None:
    content = models.labelling()
    assert_last_steps(explain(content, SEQUENCE), content, SEQUENCE, UNITS)


# Before: the eight steps were explained as eight classes, by falling score; of two targets, as two steps of a forecast.
@pytest.mark.parametrize("targets", [1, 2])
def test_of_a_fixed_length_it_is_asked(explain: Explain, targets: int) -> None:
    """Eight events and a last axis of eight: asked, and the answer is believed either way."""
    content = convolving(targets, 8)
    said = refusal(explain, content, EIGHT, schema=f"{{{CHANNELS_FIRST}}}")
    assert re.search(r'a step for each of 8 events .*"per_event": true or false', said)
    answer = explain(content, EIGHT, schema=f'{{{CHANNELS_FIRST}, "per_event": true}}')
    assert_last_steps(answer, content, EIGHT, targets, feed=turned)
    whole = explain(content, EIGHT, schema=f'{{{CHANNELS_FIRST}, "per_event": false}}')
    assert whole.output_count == 8 * targets


def test_names_of_targets_tell_too(explain: Explain) -> None:
    """Two names for (n, 2, 8) are those of a step's outputs."""
    content = convolving(2, 8)
    names = '"targets": [{"name": "output0"}, {"name": "output1"}]'
    answer = explain(content, EIGHT, schema=f"{{{CHANNELS_FIRST}, {names}}}")
    assert_last_steps(answer, content, EIGHT, 2, feed=turned)


def pooling(first: NodeProto, events: Shape) -> bytes:
    nodes = [
        first,
        node("ReduceMean", ["pooled"], "mean", axes=[2], keepdims=0),
        node("MatMul", ["mean", "w"], "logit"),
        node("Sigmoid", ["logit"], "score"),
    ]
    return built(nodes, [constant("w", weights(WIDTH, 1, scale=2.0))], inputs=[value("x", FLOAT, events)])


# Before: read as three events of eight columns, without a word.
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
def test_pools_run_over_time(explain: Explain, operator: str) -> None:
    """They take (n, 3, 8) as a convolution does: asked, and the first line works."""
    more = {} if operator.startswith("Global") else {"kernel_shape": [2], "strides": [2]}
    content = pooling(node(operator, ["x"], "pooled", **more), ("n", WIDTH, 8))
    said = refusal(explain, content, EIGHT)
    assert "channels first" in said
    line = said[said.index('"inputs"') : said.index("; or, if")]
    answer = explain(content, EIGHT, schema=f"{{{line}}}")
    wanted = truth(content, EIGHT, feed=turned)
    found = [each.value for each in sorted(answer.events, key=lambda event: event.t)]
    np.testing.assert_allclose(found, wanted.events, atol=1e-6, rtol=0)


def joined(length: int) -> bytes:
    nodes = [
        node("Concat", ["x", "y"], "both", axis=1),
        node("Conv", ["both", "w1"], "hidden", kernel_shape=[3], pads=[1, 1]),
        node("Tanh", ["hidden"], "bent"),
        node("ReduceMean", ["bent"], "mean", axes=[2], keepdims=0),
        node("MatMul", ["mean", "w2"], "score"),
    ]
    stored = [constant("w1", weights(UNITS, WIDTH + 2, 3)), constant("w2", weights(UNITS, 1))]
    inputs = [value("x", FLOAT, ("n", WIDTH, length)), value("y", FLOAT, ("n", 2, length))]
    return built(nodes, stored, inputs=inputs)


# Before: the second input was called a known future, and the line to paste made channels of the first its events.
def test_two_inputs_with_their_channels_first(explain: Explain) -> None:
    """The line to paste turns both."""
    said = refusal(explain, joined(5))
    assert said.count('"axes": ["batch", "features", "time"]') == 2
    assert "known future" not in said


def columns_only() -> bytes:
    return pooling(node("MaxPool", ["x"], "pooled", kernel_shape=[2]), (None, None, None))


def test_what_a_schema_says_stays_in_the_line(explain: Explain) -> None:
    """Its number of columns, where all axes are free."""
    schema = '{"inputs": [{"name": "x", "role": "events", "width": 3}]}'
    said = refusal(explain, columns_only(), schema=schema)
    assert said.count('"width": 3, "axes"') == 2


def test_a_recording_has_its_line(explain: Explain) -> None:
    """(n, 1, 3, 8), as networks for recordings of several channels take it."""
    nodes = [
        node("Conv", ["x", "w1"], "along", kernel_shape=[1, 3], pads=[0, 1, 0, 1]),
        node("Conv", ["along", "w2"], "across", kernel_shape=[3, 1]),
        node("ReduceMean", ["across"], "mean", axes=[2, 3], keepdims=0),
        node("MatMul", ["mean", "w3"], "score"),
    ]
    stored = [
        constant("w1", weights(2, 1, 1, 3)),
        constant("w2", weights(4, 2, 3, 1)),
        constant("w3", weights(4, 1)),
    ]
    content = built(nodes, stored, inputs=[value("x", FLOAT, ("n", 1, WIDTH, 8))])
    said = refusal(explain, content, EIGHT)
    line = said[said.index("its last axis does: ") :].removeprefix("its last axis does: ")
    answer = explain(content, EIGHT, schema=f'{{"inputs": [{line}]}}')
    wanted = truth(content, EIGHT, feed=lambda sequence: {"x": sequence.T[None, None]})
    found = [each.value for each in sorted(answer.events, key=lambda event: event.t)]
    np.testing.assert_allclose(found, wanted.events, atol=1e-6, rtol=0)


def beside(names: Sequence[str], length: int) -> bytes:
    nodes = [
        node("Unsqueeze", [names[0], "last"], "column"),
        node("Add", ["x", "column"], "moved"),
        node("ReduceMean", ["moved"], "mean", axes=[1], keepdims=0),
        node("MatMul", ["mean", "w"], "score"),
    ]
    inputs = [value("x", FLOAT, ("n", length, WIDTH)), value(names[0], FLOAT, ("n", length))]
    return built(nodes, [constant("last", [2], np.int64), constant("w", weights(WIDTH, 1))], inputs=inputs)


# Before: eight static columns, one player, without a word.
def test_as_many_static_columns_as_events_are_suspected(explain: Explain) -> None:
    """(n, 8) beside (n, 8, 3): static, and said; the line to paste makes it events."""
    content = beside(["gap"], 8)
    both = {"x": EIGHT, "gap": EIGHT[:, 0].copy()}
    answer = explain(content, both, background={"x": np.zeros(WIDTH), "gap": np.zeros(8)})
    said = next(each.message for each in answer.warnings if each.reason == "LAYOUT_SUSPECTED")
    line = said[said.index('"inputs"') : -1]
    settled = explain(
        content, both, background={"x": np.zeros(WIDTH), "gap": np.zeros(1)}, schema=f"{{{line}}}"
    )
    assert settled.static is None
    assert not [each for each in settled.warnings if each.reason == "LAYOUT_SUSPECTED"]
