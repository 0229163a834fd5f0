"""Models whose rows influence each other are run one sequence at a time; those that roll dice are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matrix import ROOT as FIXTURES
from onnx import NodeProto, TensorProto, helper, numpy_helper
from sequela.adapters.onnx import loader
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.errors import DoesNotFit
from sequela_client import CallerError, Sequela, SequelaError
from single_rows import FLOAT32, SEQUENCE, assert_true, explained, reasons, truth
from small_onnx import FLOAT, model, reduced, value

CASES = FIXTURES.parent / "cases" / "models"
RNG = np.random.default_rng(7)
WEIGHTS = RNG.normal(size=(3, 4)).astype(np.float32)
HEAD = RNG.normal(size=(4, 1)).astype(np.float32)


def made(nodes: Sequence[NodeProto], constants: Mapping[str, Any], batch: str | int = "n") -> bytes:
    """Nodes from `x` (n, l, 3) to `hidden` (n, l, 4) or less; the score is the sigmoid of a weighted mean of it."""
    tail = [
        helper.make_node("ReduceMean", ["hidden"], ["pooled"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["pooled", "head"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    held = [numpy_helper.from_array(np.asarray(each), name) for name, each in constants.items()]
    held.append(numpy_helper.from_array(HEAD, "head"))
    return model(
        [*nodes, *tail], [value("x", FLOAT, [batch, "l", 3])], [value("score", FLOAT, [batch, 1])], held
    )


def dense(source: str) -> list[NodeProto]:
    return [
        helper.make_node("MatMul", [source, "w"], ["linear"]),
        helper.make_node("Tanh", ["linear"], ["hidden"]),
    ]


def normalised() -> bytes:
    """(x - x.mean()) / x.std() in forward, over all axes."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["centre"], axes=[0, 1, 2], keepdims=1),
        helper.make_node("Sub", ["x", "centre"], ["apart"]),
        helper.make_node("Mul", ["apart", "apart"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["variance"], axes=[0, 1, 2], keepdims=1),
        helper.make_node("Add", ["variance", "small"], ["above"]),
        helper.make_node("Sqrt", ["above"], ["spread"]),
        helper.make_node("Div", ["apart", "spread"], ["even"]),
    ]
    return made([*nodes, *dense("even")], {"w": WEIGHTS, "small": np.float32(1e-5)})


def quantised(batch: str | int = "n") -> bytes:
    """A dense layer in int8, its activations scaled by the largest value of the whole batch."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["q", "w8", "zero"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "step"], ["linear"]),
        helper.make_node("Tanh", ["linear"], ["hidden"]),
    ]
    step = np.float32(np.abs(WEIGHTS).max() / 127)
    whole = np.round(WEIGHTS / step).astype(np.int8)
    return made(nodes, {"w8": whole, "step": step}, batch)


def softmax_over_rows() -> bytes:
    """A softmax whose axis was left out: the batch's."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["linear"]),
        helper.make_node("Softmax", ["linear"], ["shares"], axis=0),
        helper.make_node("Mul", ["shares", "linear"], ["hidden"]),
    ]
    return made(nodes, {"w": WEIGHTS})


COUPLED = {
    "batch_first forgotten": ((CASES / "mixed.onnx").read_bytes(), "Is batch_first=True missing"),
    "normalised over the batch": (normalised(), "normalise, or apply a softmax, along the batch axis?"),
    "quantised by the batch": (quantised(), "'q' rounds by the largest value of its batch"),
    "softmax over the batch": (softmax_over_rows(), "dim=-1"),
}


@pytest.mark.parametrize("name", COUPLED)
def test_rows_that_influence_each_other(sequela: Sequela, tmp_path: Path, name: str) -> None:
    """Every value is that of the sequence alone; the answer says why it took longer and what may be wrong."""
    content, words = COUPLED[name]
    answer = explained(sequela, content, tmp_path)
    assert_true(answer, truth(content, "score"))
    (said,) = (each.message for each in answer.warnings if each.reason == "ROWS_RUN_ONE_AT_A_TIME")
    assert words in said
    described = sequela.get_model(f"models/{answer.model_digest}")
    assert described.warnings == answer.warnings


def test_the_public_case(sequela: Sequela, tmp_path: Path) -> None:
    """Four of five events cannot matter to an LSTM that runs over a batch of one."""
    answer = explained(sequela, (CASES / "mixed.onnx").read_bytes(), tmp_path)
    assert (answer.base_value, answer.score) == pytest.approx((0.52706, 0.50982), abs=FLOAT32)
    found = [each.value for each in sorted(answer.events, key=lambda event: event.t)]
    np.testing.assert_allclose(found, [0, 0, 0, 0, 0.50982 - 0.52706], atol=2e-5)


def test_a_fixed_batch_that_is_quantised_by_its_rows(sequela: Sequela, tmp_path: Path) -> None:
    """Filled up with copies of one row, which moves no scale: as a graph with a free batch says of that row alone."""
    answer = explained(sequela, quantised(4), tmp_path)
    assert_true(answer, truth(quantised(), "score"))
    assert "ROWS_RUN_ONE_AT_A_TIME" in reasons(answer)


def test_a_fixed_batch_of_several_rows_that_mix(sequela: Sequela, tmp_path: Path) -> None:
    """No row can be had alone, so that the model is refused."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["centre"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "centre"], ["apart"]),
    ]
    with pytest.raises(
        SequelaError, match=r"takes 4 sequences in every call, .* influence each other; .* a batch of 1"
    ) as caught:
        explained(sequela, made([*nodes, *dense("apart")], {"w": WEIGHTS}, 4), tmp_path)
    assert caught.value.reason == "MODEL_ROWS_COUPLED"


def drawn(*nodes: NodeProto, **constants: Any) -> bytes:
    return made([*nodes, *dense("drawn")], {"w": WEIGHTS, **constants})


CHANCE = {
    "dropout in training mode": (
        drawn(
            helper.make_node("Dropout", ["x", "half", "on"], ["drawn"], name="drop"),
            half=np.float32(0.5),
            on=np.True_,
        ),
        "Dropout 'drop' is a dropout in training mode.*model.eval()",
    ),
    "noise": (
        drawn(
            helper.make_node("RandomNormalLike", ["x"], ["noise"], scale=0.001),
            helper.make_node("Add", ["x", "noise"], ["drawn"]),
        ),
        "RandomNormalLike 'noise' draws random numbers",
    ),
    "noise with a seed": (
        drawn(
            helper.make_node("RandomUniformLike", ["x"], ["noise"], seed=4.0),
            helper.make_node("Add", ["x", "noise"], ["drawn"]),
        ),
        "a seed does not help",
    ),
    "a class that is drawn": (
        drawn(
            helper.make_node("Sigmoid", ["x"], ["p"]),
            helper.make_node("Bernoulli", ["p"], ["drawn"]),
        ),
        "Bernoulli 'drawn' draws its result at random.*probabilities",
    ),
    "batch normalisation in training mode": (
        made(
            [
                helper.make_node("MatMul", ["x", "w"], ["linear"]),
                helper.make_node("Transpose", ["linear"], ["turned"], perm=[0, 2, 1]),
                helper.make_node(
                    "BatchNormalization",
                    ["turned", "ones", "zeros", "zeros", "ones"],
                    ["even", "mean", "variance"],
                    training_mode=1,
                ),
                helper.make_node("Transpose", ["even"], ["hidden"], perm=[0, 2, 1]),
            ],
            {"w": WEIGHTS, "ones": np.ones(4, np.float32), "zeros": np.zeros(4, np.float32)},
        ),
        "batch normalisation in training mode.*model.eval()",
    ),
}


@pytest.mark.parametrize("name", CHANCE)
def test_chance_is_refused(sequela: Sequela, tmp_path: Path, name: str) -> None:
    """The node is named, and what to do when exporting."""
    content, words = CHANCE[name]
    with pytest.raises(CallerError, match=words) as caught:
        explained(sequela, content, tmp_path)
    assert caught.value.reason == "MODEL_NOT_DETERMINISTIC"


@pytest.mark.parametrize("name", CHANCE)
def test_a_trial_shows_chance_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever operator it comes from: with the look at the graph left out, running a sequence again tells."""
    monkeypatch.setattr(loader, "refuse_randomness", lambda *_: None)
    with pytest.raises(DoesNotFit, match=r"the same sequence is run again.*model\.eval\(\)") as caught:
        Loader().load("m", ModelBytes(CHANCE[name][0], b"", "onnx", "schema"))
    assert caught.value.reason == "MODEL_NOT_DETERMINISTIC"


def test_chance_within_a_function_of_the_file(sequela: Sequela, tmp_path: Path) -> None:
    """Also in a body that the graph only calls, as newer exporters write layers."""
    body = helper.make_function(
        "own",
        "Noisy",
        ["a"],
        ["b"],
        [helper.make_node("RandomNormalLike", ["a"], ["r"]), helper.make_node("Add", ["a", "r"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    nodes = [
        helper.make_node("Noisy", ["x"], ["even"], domain="own"),
        helper.make_node("ReduceMean", ["even"], ["score"], axes=[1, 2], keepdims=0),
    ]
    content = model(
        nodes,
        [value("x", FLOAT, ["n", "l", 3])],
        [value("score", FLOAT, ["n"])],
        functions=[body],
        domains=["own"],
    )
    with pytest.raises(CallerError, match="'r' draws random numbers"):
        explained(sequela, content, tmp_path)


@pytest.mark.parametrize(
    "constants", [{"on": np.False_, "half": np.float32(0.5)}, {"on": np.True_, "half": np.float32(0.0)}]
)
def test_dropout_that_drops_nothing(sequela: Sequela, tmp_path: Path, constants: Mapping[str, Any]) -> None:
    """Out of training, or with a ratio of 0, it is no chance."""
    content = drawn(helper.make_node("Dropout", ["x", "half", "on"], ["drawn"]), **constants)
    assert_true(explained(sequela, content, tmp_path), truth(content, "score"))


def test_chance_that_nothing_needs(sequela: Sequela, tmp_path: Path) -> None:
    """What does not reach the output explained does not matter."""
    content = drawn(
        helper.make_node("RandomNormalLike", ["x"], ["noise"]),
        helper.make_node("Identity", ["x"], ["drawn"]),
    )
    assert_true(explained(sequela, content, tmp_path), truth(content, "score"))


def test_a_squeeze_that_takes_the_batch_too(sequela: Sequela, tmp_path: Path) -> None:
    """squeeze() of (1, 1) is one number: the score of one sequence."""
    content = model(
        [reduced("x", "mean", [1, 2]), helper.make_node("Squeeze", ["mean"], ["score"])],
        [value("x", FLOAT, ["n", "l", 3])],
        [value("score", FLOAT, None)],
    )
    answer = explained(sequela, content, tmp_path)
    assert answer.score == pytest.approx(float(SEQUENCE.mean()), abs=FLOAT32)
