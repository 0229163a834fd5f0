"""Models of many outputs by default: the predicted class first, how many were left out, and tolerances that would hide
everything; through the client, against onnxruntime.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pytest
from api import inference_calls
from matrix import BY_NAME
from onnx import helper, numpy_helper
from sequela_client import Explanation, Sequela
from sequela_client.errors import CallerError
from serving import Serving
from small_onnx import FLOAT, model, reduced, scoring, value

CLASSES, WIDTH, EVENTS = 100, 3, 6
NAMES = [f"item{number}" for number in range(CLASSES)]
BACKGROUND = np.zeros(WIDTH)
X = np.random.default_rng(8).normal(size=(EVENTS, WIDTH))


def softmax(classes: Sequence[str] = NAMES) -> bytes:
    """The probabilities of classes from the mean event."""
    weights = np.random.default_rng(5).normal(size=(WIDTH, len(classes))).astype(np.float32)
    nodes = [
        reduced("x", "mean", [1]),
        helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["items"], axis=1),
    ]
    inputs = [value("x", FLOAT, ["n", "l", WIDTH])]
    outputs = [value("items", FLOAT, ["n", len(classes)])]
    names = {"target_names": ",".join(classes)}
    return model(nodes, inputs, outputs, [numpy_helper.from_array(weights, "weights")], names)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("many") / "items.onnx"
    file.write_bytes(softmax())
    return file


@pytest.fixture(scope="module")
def answer(sequela: Sequela, path: Path) -> Explanation:
    """By defaults alone."""
    return sequela.explain(X, model=path, background=BACKGROUND)


def truth(path: Path, x: np.ndarray = X) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores: np.ndarray = session.run(None, {"x": x[None].astype(np.float32)})[0][0]
    return scores


def reasons(answer: Explanation) -> dict[str, str]:
    return {each.reason: each.message for each in answer.warnings}


def test_the_highest_outputs_are_explained_the_highest_first(answer: Explanation, path: Path) -> None:
    """The 64 with the highest scores, by falling score, each with its own; 100 outputs there are, and it is said."""
    scores = truth(path)
    order = np.argsort(-scores, kind="stable")[:64]
    assert [each.name for each in answer.targets] == [NAMES[index] for index in order]
    np.testing.assert_allclose([each.raw_score for each in answer.targets], scores[order], atol=1e-6)
    assert answer.score == pytest.approx(scores.max(), abs=1e-6)
    assert answer.output_count == CLASSES
    said = reasons(answer)["OUTPUTS_LEFT_OUT"]
    assert (
        said
        == "64 of 100 outputs were explained, those with the highest scores. To explain others, name them with targets."
    )


def test_attributions_are_those_of_the_named_outputs(
    sequela: Sequela, answer: Explanation, path: Path
) -> None:
    """Asked for by name, in an order of the caller's own, an output has the same numbers; that order is kept."""
    options = {"pruning_tolerance": 1e-9, "levels": ["event"]}
    free = sequela.explain(X, model=path, background=BACKGROUND, **options)
    names = [free.targets[40].name, free.targets[0].name, "item7"]
    named = sequela.explain(X, model=path, background=BACKGROUND, targets=names, **options)
    assert [each.name for each in named.targets] == names
    for name in names[:2]:
        one, other = free.target(name), named.target(name)
        assert [each.value for each in one.events] == pytest.approx(
            [each.value for each in other.events], abs=1e-9
        )
    assert "OUTPUTS_LEFT_OUT" not in reasons(named)


def test_the_same_question_is_answered_once(sequela: Sequela, answer: Explanation, path: Path) -> None:
    """Which outputs are the highest is not known before they are scored, and the same question is the same nonetheless;
    the same outputs by name are another question, since they stay in their order.
    """
    again = sequela.explain(X, model=path, background=BACKGROUND, caller_id="another")
    assert again.cost.cached
    assert again.targets == answer.targets
    assert again.warnings == answer.warnings
    names = [each.name for each in answer.targets][::-1]
    named = sequela.explain(X, model=path, background=BACKGROUND, targets=names)
    assert not named.cost.cached
    assert [each.name for each in named.targets] == names


def test_named_outputs_stay_in_their_order(sequela: Sequela, tmp_path: Path) -> None:
    """All of a model's outputs by name, in the model's order, are another question than none named."""
    file = tmp_path / "three.onnx"
    file.write_bytes(softmax(NAMES[:3]))
    order = [NAMES[index] for index in np.argsort(-truth(file), kind="stable")]
    assert order != NAMES[:3]
    for wanted, found in ((NAMES[:3], NAMES[:3]), (None, order)):
        answer = sequela.explain(X, model=file, background=BACKGROUND, targets=wanted)
        assert [each.name for each in answer.targets] == found
        assert "OUTPUTS_LEFT_OUT" not in reasons(answer)


def test_the_minimum_score_is_set_against_the_predicted_class(sequela: Sequela, path: Path) -> None:
    """Without targets named, the first is the predicted class: between its score and the second's lies the border."""
    first, second = np.sort(truth(path))[::-1][:2]
    for minimum, explained in ((first + 1e-4, False), ((first + second) / 2, True)):
        answer = sequela.explain(X, model=path, background=BACKGROUND, minimum_score=float(minimum))
        assert answer.explained is explained
        # Where nothing is explained, there is no base value to show.
        assert "nan" not in repr(answer)
        assert (f"-> {answer.score:.4g}" in repr(answer)) is explained
        assert answer.score == pytest.approx(first, abs=1e-6)
        assert len(answer.targets) == 64


def test_scores_have_all_outputs_in_the_models_order(sequela: Sequela, path: Path) -> None:
    """Several sequences' scores stand side by side; too many are refused with their number."""
    other = X[::-1] * 2
    scores = sequela.score([X, other], model=path)
    assert list(scores.targets) == NAMES
    np.testing.assert_allclose(scores.values, [truth(path), truth(path, other)], atol=1e-6)
    with pytest.raises(CallerError) as caught:
        sequela.score([X] * 700, model=path)
    assert caught.value.reason == "TOO_MANY_SCORES"
    assert "700 sequences with 100 outputs are 70000 scores, which exceeds the limit of 65536" in str(
        caught.value
    )
    assert len(sequela.score([X] * 700, model=path, targets=["item3"]).values) == 700


def test_tolerances_that_would_hide_everything_are_named(sequela: Sequela, path: Path) -> None:
    """The whole difference of an unlikely item is far below η and θ: both are named with smaller values, and these
    work; the log-odds are another way out.
    """
    unlikely = NAMES[int(np.argsort(truth(path))[20])]
    question = {"model": path, "background": BACKGROUND, "targets": [unlikely]}
    hidden = sequela.explain(X, **question)
    difference = abs(hidden.score - hidden.base_value)
    assert difference < 0.025
    assert hidden.pruning.pruned_events == EVENTS - 1
    said = reasons(hidden)["TOLERANCE_EXCEEDS_DIFFERENCE"]
    assert f"Score and base value of {unlikely} differ by {difference:.2g}" in said
    assert (
        "the pruning tolerance of 0.025, the cell threshold of 0.1 and the target standard error of 0.005"
        in said
    )
    smaller = {
        "pruning_tolerance": float(said.split("pruning_tolerance ")[1].split(",")[0]),
        "cell_threshold": float(said.split("cell_threshold ")[1].split(",")[0]),
        "target_standard_error": float(said.split("target_standard_error ")[1].split(",")[0]),
    }
    assert smaller["pruning_tolerance"] == pytest.approx(0.025 * difference, rel=0.5)
    for better in (smaller, {"link": "logit"}):
        shown = sequela.explain(X, **question, **better)
        assert "TOLERANCE_EXCEEDS_DIFFERENCE" not in reasons(shown)
        assert shown.pruning.pruned_events < EVENTS - 1


def test_a_target_error_that_would_stop_at_once_is_named(sequela: Sequela, path: Path) -> None:
    """Sampling that stopped because of a target error above all there is to know."""
    unlikely = NAMES[int(np.argsort(truth(path))[20])]
    x = np.random.default_rng(4).normal(size=(30, WIDTH))
    options = {"targets": [unlikely], "pruning_tolerance": 0, "levels": ["event"]}
    said = reasons(sequela.explain(x, model=path, background=BACKGROUND, **options))
    assert "target standard error of 0.005" in said["TOLERANCE_EXCEEDS_DIFFERENCE"]
    sure = reasons(sequela.explain(x, model=path, background=BACKGROUND, target_standard_error=0, **options))
    assert not sure


def test_nothing_is_said_where_nothing_is_hidden(sequela: Sequela) -> None:
    """A sequence that is its background has nothing to explain, and a usual one nothing to warn of."""
    case = BY_NAME["gru"]
    background = case.average()["events"]
    for x in (np.tile(background, (5, 1)), case.sample(9)["events"]):
        options = {"pruning_tolerance": 0.01, "cell_threshold": 0.01}
        assert not sequela.explain(x, model=case.path, background=background, **options).warnings


def test_outputs_that_are_no_classes_keep_their_order(sequela: Sequela, path: Path) -> None:
    """`"classes": false` in the schema: the model's order, the first 64, and it is said."""
    schema = path.with_name("schema.json")
    schema.write_text('{"classes": false}')
    try:
        answer = sequela.explain(X, model=path, background=BACKGROUND)
    finally:
        schema.unlink()
    assert [each.name for each in answer.targets] == NAMES[:64]
    assert reasons(answer)["OUTPUTS_LEFT_OUT"].startswith("64 of 100 outputs were explained, the first.")


def test_inference_protocols_keep_the_models_order(served: Serving, sequela: Sequela, path: Path) -> None:
    """Rows whose predicted classes differ share their columns: each column is one output, named in the answer."""
    sequela.register_model(path, name="items")
    rows = [{"x": sign * X.astype(np.float32)} for sign in (1, -1)]
    assert truth(path, X).argmax() != truth(path, -X).argmax()
    background = sequela.explain(X, model=path, background=BACKGROUND).background_digest
    request = inference_calls.infer_request(
        "items", rows, ["raw_score", "event_attributions"], background=background
    )
    response = inference_calls.stub(served).ModelInfer(request)
    found = inference_calls.tensors(response)
    assert response.parameters["targets"].string_param.startswith('["item0", "item1", ')
    assert found["event_attributions"].shape == (2, EVENTS, 64)
    for row, x in zip(found["raw_score"], (X, -X), strict=True):
        np.testing.assert_allclose(row, truth(path, x)[:64], atol=1e-6)


def test_kserves_predictions_keep_the_models_order(served: Serving, sequela: Sequela, path: Path) -> None:
    """`:predict` gives every output, `:explain` the first 64 beside their explanations; more than fits is refused."""
    sequela.register_model(path, name="kserved")
    background = sequela.explain(X, model=path, background=BACKGROUND).background_digest
    x = X.astype(np.float32)
    where = f"http://{served.bound.http}/v1/models/kserved"
    found = httpx.post(f"{where}:predict", json={"instances": [x.tolist()]}, timeout=60).json()
    np.testing.assert_allclose(found["predictions"], [truth(path)], atol=1e-6)
    body = {"instances": [x.tolist()], "parameters": {"background": background, "levels": ["event"]}}
    explained = httpx.post(f"{where}:explain", json=body, timeout=60).json()
    np.testing.assert_allclose(explained["predictions"], [truth(path)[:64]], atol=1e-6)
    assert [each["name"] for each in explained["explanations"][0]["targets"]] == NAMES[:64]
    assert explained["explanations"][0]["output_count"] == CLASSES
    refused = httpx.post(f"{where}:predict", json={"instances": [x[:1].tolist()] * 700}, timeout=60)
    assert refused.status_code == 400
    assert "name targets, or send fewer sequences" in refused.text


def test_outputs_at_0_or_1_are_named_on_log_odds(sequela: Sequela, tmp_path: Path) -> None:
    """A score that is 1 to float32's last bit has no log-odds of its own: the bound that was taken is said. Raw scores
    say nothing of it, nor do log-odds of a score in between.
    """
    file = tmp_path / "score.onnx"
    file.write_bytes(scoring({"x": (FLOAT, ["n", "l", 3])}))
    sure, unsure = np.full((3, 3), 500.0), np.full((3, 3), 5.0)
    question = {"model": file, "background": BACKGROUND, "cell_threshold": 0.0}
    said = reasons(sequela.explain(sure, link="logit", **question))
    assert said["OUTPUT_CLIPPED"].startswith("The score of score cannot be distinguished from 0 or 1")
    assert "OUTPUT_CLIPPED" not in reasons(sequela.explain(unsure, link="logit", **question))
    assert not reasons(sequela.explain(sure, **question))


def test_a_difference_of_rounding_is_no_difference(sequela: Sequela, tmp_path: Path) -> None:
    """f(X) and f(B) differ in float32's last bits: that is said, and no smaller tolerance is advised."""
    file = tmp_path / "score.onnx"
    file.write_bytes(scoring({"x": (FLOAT, ["n", "l", 3])}))
    x = np.full((3, 3), 4e-6)
    answer = sequela.explain(x, model=file, background=BACKGROUND)
    assert 0 < abs(answer.score - answer.base_value) < 2.0**-22
    assert list(reasons(answer)) == ["DIFFERENCE_IS_ROUNDING"]


def test_fractions_of_nothing_are_not_warned_of(sequela: Sequela, tmp_path: Path) -> None:
    """Outputs without bounds: tolerances are fractions of the difference, and where events offset each other to nothing
    but rounding no smaller ones are advised; one that was asked for is named.
    """
    file = tmp_path / "mean.onnx"
    nodes = [reduced("x", "mean", [1, 2])]
    file.write_bytes(model(nodes, [value("x", FLOAT, ["n", "l", WIDTH])], [value("mean", FLOAT, ["n"])]))
    x = np.random.default_rng(0).normal(size=(3, WIDTH))
    question = {"model": file, "background": BACKGROUND}
    offset = sequela.explain(np.concatenate([x, -x, [[1e-8, 0, 0]]]), **question)
    assert 0 < abs(offset.score - offset.base_value) < 1e-7
    assert set(reasons(offset)) <= {"HISTORY_OFFSETS"}
    asked = sequela.explain(np.concatenate([x, x]), pruning_tolerance=9.0, cell_threshold=0.0, **question)
    assert "the pruning tolerance of 9, so" in reasons(asked)["TOLERANCE_EXCEEDS_DIFFERENCE"]
    assert "logit" not in reasons(asked)["TOLERANCE_EXCEEDS_DIFFERENCE"]


def test_a_name_that_is_anothers_number_is_the_name(sequela: Sequela, tmp_path: Path) -> None:
    """Classes called 1, 2 and 3: "1" is the class of that name, and the answer says which it was."""
    file = tmp_path / "numbered.onnx"
    file.write_bytes(softmax(["1", "2", "3"]))
    scores = sequela.score(X, model=file)
    named = sequela.explain(X, model=file, background=BACKGROUND, targets=["1", "3"])
    assert [each.name for each in named.targets] == ["1", "3"]
    by_name = dict(zip(scores.targets, scores.values[0], strict=True))
    for target in named.targets:
        assert target.raw_score == pytest.approx(by_name[target.name], abs=1e-6)
