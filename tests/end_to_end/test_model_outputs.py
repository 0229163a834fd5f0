"""The output that is the score, whatever stands beside it and whatever it is written in; or a question."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from matrix import ROOT as FIXTURES
from onnx import NodeProto, TensorProto, helper, numpy_helper
from sequela_client import CallerError, Explanation, Sequela, SequelaError
from single_rows import FLOAT32, SEQUENCE, assert_true, explained, reasons, truth
from small_onnx import DOUBLE, FLOAT, HALF, INT64, model, reduced, value

CASES = FIXTURES.parent / "cases" / "models"
STRING = TensorProto.STRING
Outputs = Mapping[str, tuple[int, Sequence[str | int]]]


def case(name: str) -> bytes:
    return (CASES / f"{name}.onnx").read_bytes()


def behind(content: bytes, inner: str) -> bytes:
    """The model with a value of its graph as its only output."""
    made = onnx.load_from_string(content)
    del made.graph.output[:]
    made.graph.output.append(value(inner, FLOAT, None))
    return made.SerializeToString()


def assert_target(answer: Explanation, target: str, content: bytes, output: str, column: int) -> None:
    assert_true(answer, truth(content, output, column), target)


def test_a_label_is_not_the_score(sequela: Sequela, tmp_path: Path) -> None:
    """A public case of skl2onnx, LightGBM and XGBoost: the class label comes first, the probability is explained."""
    content = case("label_first")
    answer = explained(sequela, content, tmp_path)
    second = answer.target("output1")
    assert (second.base_value, second.score) == pytest.approx((0.5498, 0.7500), abs=1e-4)
    for column in (0, 1):
        assert_target(answer, f"output{column}", content, "probabilities", column)
    assert reasons(answer) == {"OUTPUT_CHOSEN"}
    assert "'output_label' int64 (n)" in answer.warnings[0].message


def test_probabilities_behind_maps(sequela: Sequela, tmp_path: Path) -> None:
    """ZipMap's list of maps: the tensor behind it, its targets named after the classes."""
    content = case("zipmap")
    answer = explained(sequela, content, tmp_path)
    second = answer.target("1")
    assert (second.base_value, second.score) == pytest.approx((0.5498, 0.7500), abs=1e-4)
    for column in (0, 1):
        assert_target(answer, str(column), behind(content, "p"), "p", column)
    assert reasons(answer) == {"OUTPUT_CHOSEN", "ZIPMAP_READ_AS_ARRAY"}
    named = explained(sequela, content, tmp_path, b'{"targets": [{"name": "good"}, {"name": "fraud"}]}')
    assert named.target("fraud").score == second.score


def test_a_list_that_is_no_zip_map(sequela: Sequela, tmp_path: Path) -> None:
    """Refused, with the way out."""
    nodes = [reduced("x", "mean", [1, 2]), helper.make_node("SequenceConstruct", ["mean"], ["score"])]
    output = helper.make_tensor_sequence_value_info("score", FLOAT, None)
    content = model(nodes, [value("x", FLOAT, ["n", "l", 3])], [output])
    with pytest.raises(CallerError, match=r"not a tensor of numbers.*zipmap=False") as caught:
        explained(sequela, content, tmp_path)
    assert caught.value.reason == "MODEL_OUTPUT_UNSUPPORTED"


def several(outputs: Outputs) -> bytes:
    """Outputs of the kinds asked for, each another multiple of a mean of `x`: (n) or (n, 3)."""
    nodes: list[NodeProto] = [reduced("x", "one", [1, 2]), reduced("x", "three", [1])]
    held = []
    for number, (name, (kind, axes)) in enumerate(outputs.items()):
        held.append(numpy_helper.from_array(np.float32(number + 1), f"{name}.times"))
        nodes.append(
            helper.make_node("Mul", ["one" if len(axes) == 1 else "three", f"{name}.times"], [f"{name}.f"])
        )
        nodes.append(helper.make_node("Cast", [f"{name}.f"], [name], to=kind))
    made = [value(name, kind, axes) for name, (kind, axes) in outputs.items()]
    return model(nodes, [value("x", FLOAT, ["n", "l", 3])], made, held)


ONE, THREE = ["n"], ["n", 3]
CHOSEN: list[tuple[Outputs, str]] = [
    ({"label": (INT64, ONE), "p": (FLOAT, ONE)}, "p"),
    ({"name": (STRING, ONE), "label": (INT64, ONE), "p": (DOUBLE, ONE)}, "p"),
    ({"flag": (TensorProto.BOOL, ONE), "p": (HALF, ONE)}, "p"),
    ({"name": (STRING, ONE), "count": (INT64, ONE)}, "count"),
    ({"hidden": (FLOAT, THREE), "attention": (FLOAT, THREE), "a": (FLOAT, ONE)}, "a"),
    ({"a": (FLOAT, ONE), "probability": (FLOAT, ONE)}, "probability"),
    ({"logits": (FLOAT, THREE), "probabilities": (FLOAT, THREE)}, "probabilities"),
    ({"aux": (FLOAT, THREE), "output": (FLOAT, ONE)}, "output"),
]


@pytest.mark.parametrize(("outputs", "chosen"), CHOSEN, ids=[" ".join(row[0]) for row in CHOSEN])
def test_what_is_chosen_is_said(sequela: Sequela, tmp_path: Path, outputs: Outputs, chosen: str) -> None:
    """The only float, or the one that by its name is the score; what else there is stands in a warning."""
    content = several(outputs)
    answer = explained(sequela, content, tmp_path)
    factor = list(outputs).index(chosen) + 1
    wide = len(outputs[chosen][1]) > 1
    score = answer.target("output0" if wide else chosen).score
    wanted = SEQUENCE[:, 0].mean() if wide else SEQUENCE.mean()
    tolerance = {HALF: 1e-3, INT64: 1.0}.get(outputs[chosen][0], FLOAT32)
    assert score == pytest.approx(float(wanted) * factor, abs=tolerance)
    (said,) = (each.message for each in answer.warnings if each.reason == "OUTPUT_CHOSEN")
    assert all(repr(name) in said for name in outputs)
    assert ("OUTPUT_OF_WHOLE_NUMBERS" in reasons(answer)) == (outputs[chosen][0] == INT64)


ASKED: list[tuple[Outputs, str]] = [
    ({"click": (FLOAT, ONE), "buy": (FLOAT, THREE)}, r"'click' float \(n\), 'buy' float \(n, 3\)"),
    ({"score_a": (FLOAT, ONE), "score_b": (FLOAT, ONE), "label": (INT64, ONE)}, "'score_a'.*'score_b'"),
    ({"a": (INT64, ONE), "b": (INT64, ONE)}, "'a' int64.*'b' int64"),
]


@pytest.mark.parametrize(("outputs", "words"), ASKED, ids=[" ".join(row[0]) for row in ASKED])
def test_what_may_be_several_is_asked(sequela: Sequela, tmp_path: Path, outputs: Outputs, words: str) -> None:
    """The candidates are listed, with the line of a schema that decides; what the schema says is then explained."""
    content = several(outputs)
    with pytest.raises(CallerError, match=f'{words}.*Name one in a schema.json.*{{"output": "') as caught:
        explained(sequela, content, tmp_path)
    assert caught.value.reason == "SCHEMA_NEEDED"
    last = list(outputs)[-1]
    answer = explained(sequela, content, tmp_path, json.dumps({"output": last}).encode())
    assert "OUTPUT_CHOSEN" not in reasons(answer)
    assert answer.targets[0].name in (last, "output0")


def test_texts_cannot_be_asked_for(sequela: Sequela, tmp_path: Path) -> None:
    """A schema that names an output without numbers is told so."""
    content = several({"name": (STRING, ONE), "p": (FLOAT, ONE)})
    with pytest.raises(CallerError, match="output: 'name' string"):
        explained(sequela, content, tmp_path, b'{"output": "name"}')


def test_final_states_are_no_score(sequela: Sequela, tmp_path: Path) -> None:
    """An export of torch.nn.LSTM as it is gives (output, hn, cn) under numbers: what a recurrent node ends with is
    passed over, through moves too.
    """
    rng = np.random.default_rng(1)
    held = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (1, 16, 3)), ("r", (1, 16, 4)))
    ]
    held.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["steps", "w", "r"], ["all", "17", "18"], hidden_size=4),
        helper.make_node("Squeeze", ["all", "axis"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["16"], perm=[1, 0, 2]),
    ]
    outputs = [
        value("18", FLOAT, [1, "n", 4]),
        value("17", FLOAT, [1, "n", 4]),
        value("16", FLOAT, ["n", "l", 4]),
    ]
    content = model(nodes, [value("x", FLOAT, ["n", "l", 3])], outputs, held)
    answer = explained(sequela, content, tmp_path)
    (steps,) = onnxruntime.InferenceSession(content).run(["16"], {"x": SEQUENCE[None]})
    scores = [answer.target(f"output{column}").score for column in range(4)]
    np.testing.assert_allclose(scores, steps[0, -1], atol=FLOAT32)
    assert reasons(answer) == {"OUTPUT_CHOSEN"}


FORECASTS: dict[str, tuple[bytes, str]] = {
    "(n, 12, 1)": (case("horizon3"), "forecast"),
    "(n, 12) named forecast": (case("horizon2"), "forecast"),
}


@pytest.mark.parametrize("name", FORECASTS)
def test_forecasts(sequela: Sequela, tmp_path: Path, name: str) -> None:
    """Twelve steps ahead, a target each, in the model's order and named by step."""
    content, output = FORECASTS[name]
    sequence = np.random.default_rng(3).normal(size=(5, 2)).astype(np.float32)
    answer = explained(sequela, content, tmp_path, sequence=sequence)
    assert [each.name for each in answer.targets] == [f"step{number}" for number in range(1, 13)]
    for column in (0, 5, 11):
        assert_true(answer, truth(content, output, column, sequence), f"step{column + 1}")
    described = sequela.get_model(f"models/{answer.model_digest}")
    assert [each.name for each in described.targets] == [each.name for each in answer.targets]


def ahead(axes: Sequence[int], length: str | int = "l") -> bytes:
    """A head of a mean over events, shaped as a forecast (n, *axes)."""
    size = int(np.prod(axes))
    weights = np.random.default_rng(5).normal(size=(3, size)).astype(np.float32)
    held = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([-1, *axes], np.int64), "shape"),
    ]
    nodes = [
        reduced("x", "mean", [1]),
        helper.make_node("MatMul", ["mean", "w"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["ahead"]),
    ]
    return model(nodes, [value("x", FLOAT, ["n", length, 3])], [value("ahead", FLOAT, ["n", *axes])], held)


@pytest.mark.parametrize(
    ("axes", "names"),
    [
        ((4, 1, 1), ["step1", "step2", "step3", "step4"]),
        ((2, 3), [f"step{step}.output{number}" for step in (1, 2) for number in range(3)]),
        ((2, 1, 2), ["step1.output0", "step1.output1", "step2.output0", "step2.output1"]),
        ((1, 3), ["output0", "output1", "output2"]),
        ((1, 1, 1), ["ahead"]),
    ],
)
def test_axes_of_one_do_not_count(
    sequela: Sequela, tmp_path: Path, axes: Sequence[int], names: Sequence[str]
) -> None:
    """Of a forecast or of any other output; several values a step are numbered within it."""
    content = ahead(axes)
    answer = explained(sequela, content, tmp_path)
    assert {each.name for each in answer.targets} == set(names)
    for column in (0, len(names) - 1):
        assert_true(answer, truth(content, "ahead", column), names[column])


@pytest.mark.parametrize("axes", [(5,), pytest.param((5, 1), marks=pytest.mark.slow), (5, 2)])
def test_as_many_steps_ahead_as_events(sequela: Sequela, tmp_path: Path, axes: Sequence[int]) -> None:
    """Where the length is fixed and the same as the horizon, nothing tells: it is asked, and the answer is believed."""
    content = ahead(axes, 5)
    with pytest.raises(
        CallerError, match=r'one step for each event, or 5 .*"per_event": true or false'
    ) as caught:
        explained(sequela, content, tmp_path)
    assert caught.value.reason == "SCHEMA_NEEDED"
    answer = explained(sequela, content, tmp_path, b'{"per_event": false}')
    last = answer.targets[-1].name if len(axes) == 2 else "output4"
    assert_true(answer, truth(content, "ahead", int(np.prod(axes)) - 1), last)
    steps = explained(sequela, content, tmp_path, b'{"per_event": true}')
    assert len(steps.targets) == (axes[1] if len(axes) > 1 else 1)


def test_names_of_features_by_input(sequela: Sequela, tmp_path: Path) -> None:
    """Several inputs are told apart in the names of their features."""
    nodes = [
        helper.make_node("Sub", ["left", "right"], ["apart"]),
        reduced("apart", "score", [1, 2]),
    ]
    inputs = [value("left", FLOAT, ["n", "l", 2]), value("right", FLOAT, ["n", "l", 2])]
    path = tmp_path / "model.onnx"
    path.write_bytes(model(nodes, inputs, [value("score", FLOAT, ["n"])]))
    answer = sequela.explain(
        {"left": SEQUENCE[:, :2], "right": SEQUENCE[:, 1:]},
        model=path,
        background={"left": np.zeros(2), "right": np.zeros(2)},
        pruning_tolerance=0,
    )
    assert list(answer.features) == ["left.f0", "left.f1", "right.f0", "right.f1"]
    assert answer.features["left.f1"].value == pytest.approx(float(SEQUENCE[:, 1].mean()) / 2, abs=FLOAT32)


def test_a_background_that_has_no_score(sequela: Sequela, tmp_path: Path) -> None:
    """log(0) of a background of zeros: the error says that it is the background's, not the sequence's."""
    nodes = [
        helper.make_node("Abs", ["x"], ["size"]),
        reduced("size", "mean", [1, 2]),
        helper.make_node("Log", ["mean"], ["log"]),
        helper.make_node("Sub", ["log", "log"], ["nothing"]),
        helper.make_node("Add", ["mean", "nothing"], ["score"]),
    ]
    content = model(nodes, [value("x", FLOAT, ["n", "l", 3])], [value("score", FLOAT, ["n"])])
    with pytest.raises(
        SequelaError, match=r"nan for target 'score' when the background alone is scored.*Choose another"
    ):
        explained(sequela, content, tmp_path)
    nodes[2] = helper.make_node("Log", ["below"], ["log"])
    nodes.insert(2, helper.make_node("Sub", ["mean", "mean"], ["below"]))
    content = model(nodes, [value("x", FLOAT, ["n", "l", 3])], [value("score", FLOAT, ["n"])])
    with pytest.raises(SequelaError, match=r"nan for target 'score'$"):
        explained(sequela, content, tmp_path)


def test_a_model_that_ends_before_the_sequence(sequela: Sequela, tmp_path: Path) -> None:
    """A table of 16 positions: the error says how many events were too many."""
    held = [
        numpy_helper.from_array(np.ones((16, 3), np.float32), "table"),
        numpy_helper.from_array(np.array([0], np.int64), "start"),
        numpy_helper.from_array(np.array(0, np.int64), "zero"),
        numpy_helper.from_array(np.array(1, np.int64), "one"),
    ]
    nodes = [
        helper.make_node("Shape", ["x"], ["length"], start=1, end=2),
        helper.make_node("Squeeze", ["length"], ["end"]),
        helper.make_node("Range", ["zero", "end", "one"], ["places"]),
        helper.make_node("Gather", ["table", "places"], ["positions"]),
        helper.make_node("Add", ["x", "positions"], ["placed"]),
        reduced("placed", "score", [1, 2]),
    ]
    content = model(nodes, [value("x", FLOAT, ["n", "l", 3])], [value("score", FLOAT, ["n"])], held)
    assert_true(explained(sequela, content, tmp_path), truth(content, "score"))
    with pytest.raises(SequelaError, match=r"\(on 20 events\)"):
        explained(sequela, content, tmp_path, sequence=np.ones((20, 3), np.float32))
