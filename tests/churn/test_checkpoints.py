"""The committed checkpoints and their schema belong together, and do on the test customers what the report says."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from churn.checkpoints import EPOCHS, FOLDER, REPORT, SCHEMA, path
from numpy.typing import NDArray

from models.churn.features import FEATURES
from models.churn.histories import History, Split, histories, split_customers
from models.churn.purchases import Purchases


def run(epoch: str, months: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The probabilities (n, 1), and the attention (n, l)."""
    probability, attention = onnxruntime.InferenceSession(path(epoch)).run(None, {"months": months})
    return probability, attention


def probabilities(epoch: str, rows: list[History]) -> NDArray[np.float64]:
    """One history at a time, as the model has no padding."""
    session = onnxruntime.InferenceSession(path(epoch))
    return np.array([session.run(None, {"months": row.inputs()[None]})[0][0, 0] for row in rows], np.float64)


def area_under_curve(scores: NDArray[np.float64], churned: NDArray[np.bool_]) -> float:
    """From all pairs of a customer who churned and one who did not."""
    pairs = scores[churned][:, None] - scores[~churned][None, :]
    return float(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_there_are_three_checkpoints() -> None:
    """After 1, 200 and 600 epochs, and no other file."""
    assert EPOCHS == ("1", "200", "600")
    assert {file.name for file in FOLDER.iterdir()} == {
        "schema.json",
        *(path(epoch).name for epoch in EPOCHS),
    }


@pytest.mark.parametrize("epoch", EPOCHS)
def test_a_checkpoint_is_one_small_file(epoch: str) -> None:
    """Less than 200 kB, free axes, two outputs of which the schema names the first, and no trace of a machine."""
    model = onnx.load(path(epoch), load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert path(epoch).stat().st_size < 200_000
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    (given,) = model.graph.input
    assert [axis.dim_param for axis in given.type.tensor_type.shape.dim] == ["batch", "months", ""]
    assert given.type.tensor_type.shape.dim[2].dim_value == len(FEATURES)
    assert [output.name for output in model.graph.output] == ["probability", "attention"]
    assert SCHEMA["output"] == "probability"


@pytest.mark.parametrize("epoch", EPOCHS)
@pytest.mark.parametrize("length", [1, 2, 12, 18])
def test_attention_sums_to_one(epoch: str, length: int) -> None:
    """One weight for each event of each sequence, at every length; probabilities lie between 0 and 1."""
    months = np.random.default_rng(length).normal(size=(7, length, len(FEATURES))).astype(np.float32)
    probability, attention = run(epoch, months)
    assert probability.shape == (7, 1)
    assert attention.shape == (7, length)
    np.testing.assert_allclose(attention.sum(axis=1), 1.0, atol=1e-6)
    assert (attention > 0).all()
    assert ((probability > 0) & (probability < 1)).all()


@pytest.mark.parametrize("epoch", EPOCHS)
def test_a_checkpoint_computes_what_its_weights_say(epoch: str) -> None:
    """A GRU (PyTorch's equations), attention and a logistic head, in numpy from the weights in the file."""
    months = np.random.default_rng(0).normal(size=(5, 9, len(FEATURES))).astype(np.float32)
    probability, attention = run(epoch, months)
    expected = forward(epoch, months.astype(np.float64))
    np.testing.assert_allclose(probability, expected[0], atol=1e-6)
    np.testing.assert_allclose(attention, expected[1], atol=1e-6)


def forward(epoch: str, months: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The outputs by the definition in models/churn/network.py. ONNX has the gates in the order z, r, n."""
    model = onnx.load(path(epoch))
    weights = {
        each.name: onnx.numpy_helper.to_array(each).astype(np.float64) for each in model.graph.initializer
    }
    (gru,) = (node for node in model.graph.node if node.op_type == "GRU")
    w, r, biases = (weights[name][0] for name in gru.input[1:4])
    size = r.shape[1]
    wz, wr, wn = w.reshape(3, size, -1)
    rz, rr, rn = r.reshape(3, size, size)
    bz, br, bn, cz, cr, cn = biases.reshape(6, size)
    state, states = np.zeros((len(months), size)), []
    for x in months.swapaxes(0, 1):
        update = sigmoid(x @ wz.T + bz + state @ rz.T + cz)
        reset = sigmoid(x @ wr.T + br + state @ rr.T + cr)
        new = np.tanh(x @ wn.T + bn + reset * (state @ rn.T + cn))
        state = (1 - update) * new + update * state
        states.append(state)
    h = np.stack(states, axis=1)
    first, bias, second, head, head_bias = layers(model, weights)
    logits = np.tanh(h @ first + bias) @ second
    raised = np.exp(logits[..., 0] - logits[..., 0].max(axis=1, keepdims=True))
    attention = raised / raised.sum(axis=1, keepdims=True)
    context = (attention[..., None] * h).sum(axis=1)
    return sigmoid(context @ head.T + head_bias), attention


def layers(model: onnx.ModelProto, weights: dict[str, NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """The layers after the GRU: both of the attention, transposed, and the head."""
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    (head,) = (node for node in model.graph.node if node.op_type == "Gemm")
    first, second = (next(weights[name] for name in node.input if name in weights) for node in products)
    return [first, weights["attention.0.bias"], second, *(weights[name] for name in head.input[1:3])]


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


@pytest.mark.slow
@pytest.mark.parametrize("epoch", EPOCHS)
def test_the_auc_is_what_the_report_says(held_out: list[History], epoch: str) -> None:
    """On all test customers, and on those who bought more than once."""
    scores, churned = probabilities(epoch, held_out), np.array([row.churned for row in held_out])
    repeat = np.array([row.values[:, 0].sum() > 1 for row in held_out])
    reported = REPORT["checkpoints"][epoch]["auc"]
    assert area_under_curve(scores, churned) == pytest.approx(reported["test"], abs=1e-4)
    of_repeat = area_under_curve(scores[repeat], churned[repeat])
    assert of_repeat == pytest.approx(reported["repeat_customers_of_test"], abs=1e-4)


@pytest.mark.slow
def test_the_report_describes_the_data(held_out: list[History]) -> None:
    """How many customers there are, how many of them churned, and how well the months since the last purchase do."""
    data = REPORT["data"]
    churned = np.array([row.churned for row in held_out])
    repeat = np.array([row.values[:, 0].sum() > 1 for row in held_out])
    recency = np.array([row.values[-1, 3] for row in held_out])
    assert data["customers"]["test"] == len(held_out)
    assert data["churned"]["test"] == pytest.approx(churned.mean(), abs=1e-4)
    assert data["repeat_customers_of_test"] == repeat.sum()
    assert data["churned_repeat_customers_of_test"] == pytest.approx(churned[repeat].mean(), abs=1e-4)
    assert data["auc_of_months_since_purchase"] == pytest.approx(area_under_curve(recency, churned), abs=1e-4)


def test_learning_goes_on() -> None:
    """From checkpoint to checkpoint, on customers that were not trained on; the last beats the simplest score."""
    on_all, on_repeat = (
        [REPORT["checkpoints"][epoch]["auc"][part] for epoch in EPOCHS]
        for part in ("test", "repeat_customers_of_test")
    )
    assert on_all == sorted(on_all)
    assert on_repeat == sorted(on_repeat)
    assert on_all[-1] > REPORT["data"]["auc_of_months_since_purchase"] + 0.01


@pytest.mark.slow
def test_probabilities_are_calibrated(held_out: list[History]) -> None:
    """In each tenth of the test customers, ordered by the last checkpoint, about as many churn as it says."""
    scores, churned = probabilities(EPOCHS[-1], held_out), np.array([row.churned for row in held_out])
    for rows in np.array_split(np.argsort(scores), 10):
        assert scores[rows].mean() == pytest.approx(churned[rows].mean(), abs=0.08)


def test_the_schema_describes_the_features() -> None:
    """Names, units and the inverse of the encoding, in the order of the columns."""
    assert [feature["name"] for feature in SCHEMA["features"]] == [feature.name for feature in FEATURES]
    for column, (entry, feature) in enumerate(zip(SCHEMA["features"], FEATURES, strict=True)):
        assert entry["columns"] == {"months": [column]}
        assert entry["unit"] == feature.unit
        assert entry["display"] == {
            "mean": feature.mean,
            "scale": feature.scale,
            "transform": "log1p" if feature.log else "none",
            "decimals": feature.decimals,
        }


@pytest.mark.slow
def test_the_background_is_the_average_month_of_those_who_come_back(purchases: Purchases) -> None:
    """Near that of all training customers who bought again after 1997; the months of training are drawn earlier."""
    splits = split_customers(purchases)
    rows = [
        row
        for row in histories(purchases, "1997-09")
        if splits[row.customer] is Split.TRAIN and not row.churned
    ]
    mean = np.concatenate([row.inputs() for row in rows]).mean(axis=0)
    np.testing.assert_allclose(SCHEMA["background"]["months"], mean, atol=0.05)
