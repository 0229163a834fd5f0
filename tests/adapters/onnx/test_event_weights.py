"""A model's own weight of each event: which outputs may give it, and the numbers of one run, without padding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from asking import explainer, question
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.concurrency.deadline import Deadline
from sequela.errors import DoesNotFit, SequelaError
from sequela.explain.explanation import Explanation
from small_onnx import FLOAT, HALF, INT64, Shape, model, reduced, value

BACKGROUND = {"x": [0.0, 0.0, 0.0, 0.0]}


def attention(
    shape: Shape = ("n", "l", 4),
    more: Sequence[NodeProto] = (),
    outputs: Sequence[ValueInfoProto] = (),
    masked: bool = False,
    constants: Sequence[TensorProto] = (),
) -> bytes:
    """A score of events (n, l, 4) whose attention `alpha` (n, l) is a softmax of the events' means."""
    inputs = [value("x", FLOAT, shape)]
    nodes = [reduced("x", "mean", [2])]
    energy = "mean"
    if masked:
        inputs.append(value("mask", FLOAT, shape[:2]))
        nodes += [
            helper.make_node("Sub", ["mask", "one"], ["absent"]),
            helper.make_node("Mul", ["absent", "many"], ["penalty"]),
            helper.make_node("Add", ["mean", "penalty"], ["energy"]),
        ]
        energy = "energy"
    numbers = {"one": 1.0, "many": 1e4}
    nodes += [
        helper.make_node("Softmax", [energy], ["alpha"], axis=1),
        helper.make_node("Mul", ["alpha", "mean"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "time"], ["sum"], keepdims=0),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
        *more,
    ]
    time = numpy_helper.from_array(np.array([1], dtype=np.int64), "time")
    held = [numpy_helper.from_array(np.array(each, dtype=np.float32), name) for name, each in numbers.items()]
    results = [value("score", FLOAT, None), value("alpha", FLOAT, None), *outputs]
    return model(nodes, inputs, results, [time, *held, *constants])


def loaded(onnx: bytes, **schema: Any) -> OnnxModel:
    text = json.dumps(schema | {"background": BACKGROUND}).encode()
    return Loader().load("models/m/versions/1", ModelBytes(onnx, text, "onnx", "schema"))


def explained(onnx_model: OnnxModel, events: NDArray[Any]) -> Explanation:
    asked = question(onnx_model, {"x": events}, None)
    return explainer(onnx_model).explain(asked, Deadline())


def softmax(energy: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(energy - energy.max())
    return np.asarray(powers / powers.sum(), dtype=np.float64)


def events(length: int) -> NDArray[np.float32]:
    return np.random.default_rng(length).normal(size=(length, 4)).astype(np.float32)


@pytest.mark.parametrize("length", [1, 2, 7, 30])
def test_the_weights_of_one_run(length: int) -> None:
    """One number for each event, oldest first, as numpy computes the same attention."""
    sequence = events(length)
    answer = explained(loaded(attention(), event_weights="alpha"), sequence)
    np.testing.assert_allclose(answer.event_weights, softmax(sequence.mean(axis=1)), rtol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_has_no_weight_in_the_answer(side: str) -> None:
    """A model of eight events gets five: the answer has the five weights of the run with its padding."""
    sequence = events(5)
    found = loaded(attention(("n", 8, 4)), event_weights="alpha", padding=side, per_event=False)
    padding = np.zeros((3, 4), dtype=np.float32)
    rows = [padding, sequence] if side == "left" else [sequence, padding]
    whole = softmax(np.concatenate(rows).mean(axis=1))
    expected = whole[3:] if side == "left" else whole[:5]
    np.testing.assert_allclose(explained(found, sequence).event_weights, expected, rtol=1e-5)


def test_masked_padding_takes_no_weight() -> None:
    """With a mask the weights of the real events are those of the sequence alone."""
    sequence = events(5)
    inputs = [
        {"name": "x", "role": "events", "width": 4},
        {"name": "mask", "role": "mask"},
    ]
    onnx = attention(("n", 8, 4), masked=True)
    found = loaded(onnx, event_weights="alpha", inputs=inputs, per_event=False)
    np.testing.assert_allclose(
        explained(found, sequence).event_weights, softmax(sequence.mean(axis=1)), rtol=1e-5
    )


def test_a_fixed_batch() -> None:
    """A model that takes four sequences in every call is run once."""
    sequence = events(6)
    found = loaded(attention((4, "l", 4)), event_weights="alpha")
    np.testing.assert_allclose(
        explained(found, sequence).event_weights, softmax(sequence.mean(axis=1)), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (helper.make_node("Unsqueeze", ["alpha", "last"], ["w"]), FLOAT),
        (helper.make_node("Transpose", ["alpha"], ["w"], perm=[0, 1]), FLOAT),
        (helper.make_node("Cast", ["alpha"], ["w"], to=HALF), HALF),
    ],
    ids=["(n, l, 1)", "(n, l)", "float16"],
)
def test_forms_that_are_weights(node: NodeProto, kind: int) -> None:
    """An axis of 1 does not count, and small floats are floats."""
    last = numpy_helper.from_array(np.array([2], dtype=np.int64), "last")
    onnx = attention(more=[node], outputs=[value("w", kind, None)], constants=[last])
    sequence = events(6)
    answer = explained(loaded(onnx, output="score", event_weights="w"), sequence)
    np.testing.assert_allclose(answer.event_weights, softmax(sequence.mean(axis=1)), rtol=2e-3)


@pytest.mark.parametrize(
    ("name", "more", "outputs", "text"),
    [
        ("attn", [], [], "event_weights: 'attn' is not an output of the model, which gives score, alpha"),
        ("score", [], [], "event_weights: output 'score' is float32 (1,) for 1 sequence of 2 events"),
        (
            "ids",
            [helper.make_node("Cast", ["alpha"], ["ids"], to=INT64)],
            [value("ids", INT64, None)],
            "event_weights: 'ids' int64 does not hold floating-point numbers",
        ),
        (
            "pairs",
            [helper.make_node("Transpose", ["x"], ["pairs"], perm=[0, 2, 1])],
            [value("pairs", FLOAT, None)],
            "event_weights: output 'pairs' is float32 (1, 4, 2) for 1 sequence of 2 events; event weights are one "
            "floating-point number for each event, (batch, events)",
        ),
        (
            "noise",
            [helper.make_node("RandomNormalLike", ["alpha"], ["noise"])],
            [value("noise", FLOAT, None)],
            "draws random numbers",
        ),
        (
            "endless",
            [helper.make_node("Div", ["alpha", "zero"], ["endless"])],
            [value("endless", FLOAT, None)],
            "event_weights: the model gives inf as an event weight in output 'endless'",
        ),
    ],
)
def test_outputs_that_are_no_weights_are_refused_at_load(
    name: str, more: list[NodeProto], outputs: list[ValueInfoProto], text: str
) -> None:
    """Before anything is explained, with the output, what it is, and what is allowed."""
    zero = numpy_helper.from_array(np.array(0, dtype=np.float32), "zero")
    onnx = attention(more=more, outputs=outputs, constants=[zero])
    with pytest.raises(SequelaError) as caught:
        loaded(onnx, output="score", event_weights=name)
    assert caught.value.reason in ("SCHEMA_DOES_NOT_FIT", "MODEL_NOT_DETERMINISTIC")
    assert text in str(caught.value)


def test_the_output_of_the_weights_is_not_taken_for_the_score() -> None:
    """Beside it one output of floats is left, so no choice has to be made or warned about."""
    found = loaded(attention(), event_weights="alpha")
    assert found.info.schema.output == "score"
    assert found.info.warnings == ()


def test_weights_cost_one_row_and_only_where_they_are_wanted() -> None:
    """The same answer without the key runs one row less and has the same numbers."""
    sequence = events(6)
    with_weights, without = loaded(attention(), event_weights="alpha"), loaded(attention(), output="score")
    one, other = explained(with_weights, sequence), explained(without, sequence)
    assert one.cost.model_rows == other.cost.model_rows + 1
    assert other.event_weights == ()
    assert one.levels["event"].attributions == other.levels["event"].attributions


def test_a_weight_that_is_not_finite_names_its_output() -> None:
    """A sequence may break what ran when the model was loaded."""
    onnx = attention(more=[helper.make_node("Log", ["mean"], ["w"])], outputs=[value("w", FLOAT, None)])
    with pytest.raises(SequelaError, match="event weight in output 'w'"):
        loaded(onnx, output="score", event_weights="w")
    onnx = attention(
        more=[
            helper.make_node("Exp", ["mean"], ["w"]),
        ],
        outputs=[value("w", FLOAT, None)],
    )
    found = loaded(onnx, output="score", event_weights="w")
    with pytest.raises(DoesNotFit, match="gives inf as an event weight in output 'w'") as caught:
        explained(found, np.full((3, 4), 1000, dtype=np.float32))
    assert caught.value.reason == "MODEL_OUTPUT_NOT_FINITE"
