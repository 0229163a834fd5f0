"""Padding that a caller sends: no events where the schema says so, else said to count as events. Through the client."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api import inference_calls
from matrix import BY_NAME
from numpy.typing import NDArray
from sequela_client import EventInfo, Explanation, Sequela, Sequence
from sequela_client.errors import CallerError
from serving import Serving
from small_onnx import FLOAT, INT64, scoring

OPTIONS: dict[str, Any] = {
    "pruning_tolerance": 0,
    "target_standard_error": 0,
    "levels": ["event", "feature"],
}
EVENTS = np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32)


@dataclass(frozen=True)
class Padded:
    """A model of 8 events of 4 features, padded on a side with a value."""

    path: Path
    side: str
    pad_value: float = 0.0

    def pad(self, rows: NDArray[Any], count: int) -> NDArray[Any]:
        """With rows of padding on its side."""
        blank = np.full((count, rows.shape[1]), self.pad_value, dtype=rows.dtype)
        return np.concatenate([blank, rows] if self.side == "left" else [rows, blank])

    @property
    def question(self) -> dict[str, Any]:
        return {"model": self.path, "background": 0.3 * np.ones(4), **OPTIONS}


@pytest.fixture(scope="module", params=["left", "other value", "right"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Padded:
    if request.param == "left":
        return Padded(BY_NAME["fixed_left"].path, "left")
    if request.param == "other value":
        return Padded(BY_NAME["fixed_pad_value"].path, "left", -1.0)
    return Padded(right(tmp_path_factory.mktemp("right")), "right")


def right(folder: Path) -> Path:
    """The mean of 8 events, padded on the right."""
    path = folder / "model.onnx"
    path.write_bytes(scoring({"events": (FLOAT, ["n", 8, 4])}))
    (folder / "schema.json").write_text('{"padding": "right"}')
    return path


def reasons(answer: Explanation) -> list[str]:
    return [each.reason for each in answer.warnings]


def numbers(answer: Explanation) -> Any:
    return [
        [(item.kind, item.t, item.feature, item.values) for item in level.attributions]
        for level in answer.levels.values()
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_rows_of_padding_are_no_events(sequela: Sequela, model: Padded, count: int) -> None:
    """The same tensors for the model, the same explanation: padding sent, in part or whole, or added by the server."""
    plain = sequela.explain(EVENTS, **model.question)
    sent = sequela.explain(model.pad(EVENTS, count), **model.question)
    assert sent.length == 5
    assert numbers(sent) == numbers(plain)
    assert [target.score for target in sent.targets] == [target.score for target in plain.targets]
    assert not reasons(sent)
    scores = sequela.score([EVENTS, model.pad(EVENTS, count)], model=model.path).values
    assert scores[0] == scores[1]
    assert scores[1][0] == pytest.approx(sent.targets[0].raw_score, abs=1e-6)


def test_padding_on_the_other_side_is_events(sequela: Sequela, model: Padded) -> None:
    """And so is what equals the pad value between events, or in some columns only."""
    other = model.pad(EVENTS, 2)[::-1]
    assert sequela.explain(other, **model.question).length == 7
    within = EVENTS.copy()
    within[2] = model.pad_value
    assert sequela.explain(within, **model.question).length == 5
    some = model.pad(EVENTS, 1)
    some[0 if model.side == "left" else -1, 1] = 9.0
    assert sequela.explain(some, **model.question).length == 6


def test_nothing_but_padding_is_refused(sequela: Sequela) -> None:
    """With the pad value, for explanations and for scores."""
    case = BY_NAME["fixed_left"]
    blank = np.zeros((8, 4))
    for ask in (
        lambda: sequela.explain(blank, model=case.path, background=np.ones(4)),
        lambda: sequela.score(blank, model=case.path),
    ):
        with pytest.raises(CallerError) as caught:
            ask()
        assert caught.value.reason == "NO_EVENTS"
        assert "all 8 rows equal pad_value 0 and count as padding" in str(caught.value)


def test_tensors_have_zeros_where_padding_was_sent(served: Serving, sequela: Sequela, tmp_path: Path) -> None:
    """By the Open Inference Protocol: every row has its own padding, and attributions at the steps that were sent."""
    path = right(tmp_path)
    sequela.register_model(path, name="padded")
    short = np.concatenate([EVENTS[:3], np.zeros((2, 4), dtype=np.float32)])
    background = sequela.explain(EVENTS, **Padded(path, "right").question).background_digest
    request = inference_calls.infer_request(
        "padded",
        [{"events": EVENTS}, {"events": short}],
        ["event_attributions"],
        background=background,
        pruning_tolerance=0.0,
    )
    found = inference_calls.tensors(inference_calls.stub(served).ModelInfer(request))["event_attributions"][
        ..., 0
    ]
    for row, events in zip(found, (EVENTS, EVENTS[:3]), strict=True):
        answer = sequela.explain(events, **Padded(path, "right").question)
        wanted = [item.value for item in answer.events][::-1]
        np.testing.assert_allclose(row, wanted + [0.0] * (5 - len(events)), atol=1e-9)


def test_notes_are_for_real_events(sequela: Sequela, tmp_path: Path) -> None:
    """As many as there are events, and the message says how many rows are padding."""
    model = Padded(right(tmp_path), "right")
    rows, notes = model.pad(EVENTS, 3), [EventInfo(id=str(number)) for number in range(8)]
    with pytest.raises(CallerError) as caught:
        sequela.explain(Sequence(rows, notes), **model.question)
    assert "8 entries for 5 real events (3 of the 8 rows are padding)" in str(caught.value)
    answer = sequela.explain(Sequence(rows, notes[:5]), **model.question)
    assert {event.t: event.info.id for event in answer.event_values}[0] == "4"


@pytest.mark.parametrize(
    ("name", "mark"), [("masked", "mask"), ("fixed_right", "mask"), ("lengths", "length")]
)
def test_without_the_mask_padding_counts_and_that_is_said(sequela: Sequela, name: str, mark: str) -> None:
    """The model is told that all rows are events, so they are explained as such; sent with it they are not, nor warned
    of; neither answer is given for the other's question.
    """
    case = BY_NAME[name]
    rows = np.concatenate([case.sample(5)["events"], np.zeros((2, 4), dtype=np.float32)])
    question = {"model": case.path, "background": case.average()["events"], **OPTIONS}
    warned = sequela.explain(rows, **question)
    assert warned.length == 7
    (warning,) = warned.warnings
    assert warning.reason == "PADDING_COUNTED_AS_EVENTS"
    assert warning.message == (
        "The 2 newest rows equal pad_value 0 in every column and count as events; "
        f"because {mark} was not sent; send it if they are padding."
    )
    values = {"mask": np.ones(7, dtype=bool), "length": np.array(7)}[mark]
    events = sequela.explain({"events": rows, mark: values}, **question)
    assert numbers(events) == numbers(warned)
    assert not events.warnings
    real = {"mask": np.arange(7) < 5, "length": np.array(5)}[mark]
    marked = sequela.explain({"events": rows, mark: real}, **question)
    assert marked.length == 5
    assert not marked.warnings


def test_ordinary_sequences_are_not_warned_of(sequela: Sequela) -> None:
    """Zeros between events, or in some columns, are nothing to wonder about; nor a model of any length's zeros."""
    case = BY_NAME["masked"]
    rows = case.sample(5)["events"]
    rows[2], rows[0, 1:], rows[-1, :2] = 0.0, 0.0, 0.0
    assert not reasons(sequela.explain(rows, model=case.path, background=np.ones(4), **OPTIONS))
    gru = BY_NAME["gru"]
    rows = gru.sample(5)["events"]
    rows[0] = rows[1] = 0.0
    assert not reasons(sequela.explain(rows, model=gru.path, background=np.ones(5), **OPTIONS))


def small(folder: Path, length: int | str, schema: dict[str, Any] | None = None) -> Path:
    """A model of the mean over events of two inputs, of a fixed length or of any."""
    inputs = {"x": (FLOAT, ["n", length, 2]), "ids": (INT64, ["n", length, 1])}
    path = folder / "model.onnx"
    path.write_bytes(scoring(inputs))
    if schema is not None:
        (folder / "schema.json").write_text(json.dumps(schema))
    return path


X = np.array([[0, 0], [0, 0], [1, 2], [0, 0], [3, 1]], dtype=float)
IDS = np.array([0, 4, 1, 0, 2])


def test_a_fixed_length_without_a_side_is_asked_about(sequela: Sequela, tmp_path: Path) -> None:
    """The schema says nothing: rows that may be padding count as events, with what to write into it."""
    sent = {"x": X, "ids": np.array([0, 0, 1, 0, 2])}
    background = {"x": [1.0, 1.0], "ids": [1]}
    answer = sequela.explain(sent, model=small(tmp_path, 5), background=background, **OPTIONS)
    assert answer.length == 5
    (warning,) = answer.warnings
    assert "The 2 oldest rows equal pad_value 0" in warning.message
    assert '"padding": "left" in schema.json' in warning.message
    one_row = {"x": X, "ids": IDS}
    assert not reasons(sequela.explain(one_row, model=small(tmp_path, 5), background=background, **OPTIONS))


def test_every_input_must_hold_the_pad_value(sequela: Sequela, tmp_path: Path) -> None:
    """A row that is 0 in one input and not in another is an event."""
    path = small(tmp_path, 5, {"padding": "left"})
    background = {"x": [1.0, 1.0], "ids": [1]}
    answer = sequela.explain({"x": X, "ids": IDS}, model=path, background=background, **OPTIONS)
    assert answer.length == 4
    assert not answer.warnings


def test_a_model_of_any_length_has_padding_where_its_schema_says_so(sequela: Sequela, tmp_path: Path) -> None:
    """What a caller pads is seen by such a model, and keeps its values; it belongs to no player all the same."""
    path = small(tmp_path, "l", {"padding": "right"})
    background = {"x": [1.0, 1.0], "ids": [1]}
    sent = {"x": X[::-1].copy(), "ids": np.array([2, 0, 1, 0, 0])}
    answer = sequela.explain(sent, model=path, background=background, **OPTIONS)
    assert answer.length == 3
    mean = 0.1 * (sent["x"].sum() / 10 + sent["ids"].sum() / 5)
    assert answer.score == pytest.approx(1 / (1 + np.exp(-mean)), abs=1e-6)
    assert answer.score == pytest.approx(sequela.score(sent, model=path).values[0][0], abs=1e-9)
    base = 0.1 * (3 * 2 / 10 + 3 / 5)  # three events at the background, two rows of padding at 0
    assert answer.base_value == pytest.approx(1 / (1 + np.exp(-base)), abs=1e-6)
