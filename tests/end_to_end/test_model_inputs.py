"""Models whose inputs are not (batch, events, columns): the right value through the public door, or a clear refusal.

The files stand for kinds of models in public bug reports; the truth is every coalition, run alone by onnxruntime.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alone import Alone, Feed
from brute_force import Arrays, Attributions
from numpy.typing import NDArray
from sequela_client import Explanation, Sequela
from sequela_client.errors import SequelaError

MODELS = Path(__file__).resolve().parents[1] / "fixtures" / "cases" / "models"
X = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
SHOWN = 5e-5  # numbers in the reports have four digits
CLOSE = 2e-6
EVENTS = {"name": "x", "role": "events", "dtype": "float32", "width": 3}


def with_schema(folder: Path, name: str, **schema: Any) -> Path:
    """The model beside a schema."""
    path = folder / "model.onnx"
    path.write_bytes((MODELS / f"{name}.onnx").read_bytes())
    (folder / "schema.json").write_text(json.dumps(schema))
    return path


def explained(
    sequela: Sequela, model: Path, sequence: Any = X, background: Any = None, **more: Any
) -> Explanation:
    """All events, nothing pruned, every coalition; the background is 0 unless it is given."""
    zeros = np.zeros(X.shape[1], np.float32) if background is None else background
    return sequela.explain(
        sequence, model=model, background=zeros, pruning_tolerance=0, target_standard_error=0, **more
    )


def refusal(sequela: Sequela, model: Path, sequence: Any = X, background: Any = None) -> str:
    with pytest.raises(SequelaError) as caught:
        explained(sequela, model, sequence, background)
    return str(caught.value)


def scored(sequela: Sequela, sequence: Any, model: Path) -> float:
    return float(sequela.score([sequence], model=model).values[0, 0])


def reasons(answer: Explanation) -> set[str]:
    return {warning.reason for warning in answer.warnings}


def assert_right(answer: Explanation, truth: Attributions, atol: float = CLOSE) -> None:
    found = {("event", each.t): each.values for each in answer.events}
    if answer.static:
        found["static",] = answer.static.values
    for player, row in zip(truth.players, truth.values, strict=True):
        np.testing.assert_allclose(found[player.key], row, atol=atol, rtol=0, err_msg=str(player.key))
    assert answer.score == pytest.approx(truth.score[0], abs=atol)
    assert answer.base_value == pytest.approx(truth.base[0], abs=atol)


def truth_of(
    name: str, feed: Feed, x: Arrays | None = None, background: Arrays | None = None
) -> Attributions:
    x = x or {"x": X}
    absent = background or {key: np.zeros_like(values) for key, values in x.items()}
    return Alone((MODELS / f"{name}.onnx").read_bytes(), feed).events(x, absent)


@dataclass(frozen=True)
class Turned:
    """A file, how one sequence (l, d) is fed to it, and its schema where it needs one."""

    name: str
    feed: Feed
    length: int = 5
    axes: tuple[str, ...] = ()


CHANNELS_FIRST = ("batch", "features", "time")
TURNED = [
    Turned("channel_first", lambda row: {"x": row["x"].T[None]}, 8, CHANNELS_FIRST),
    Turned("channel_first_dyn", lambda row: {"x": row["x"].T[None]}),
    Turned("time_major", lambda row: {"x": row["x"][:, None]}),
    Turned("time_major_unnamed", lambda row: {"x": row["x"][:, None]}),
]


@pytest.mark.parametrize("case", TURNED, ids=[case.name for case in TURNED])
def test_other_orders_of_axes(sequela: Sequela, tmp_path: Path, case: Turned) -> None:
    """Callers send (events, columns); the model gets its own order. What was recognised is said."""
    sequence = np.random.default_rng(3).normal(size=(case.length, 3)).astype(np.float32)
    schema = {"inputs": [{**EVENTS, "axes": case.axes}]} if case.axes else {}
    answer = explained(sequela, with_schema(tmp_path, case.name, **schema), sequence)
    assert_right(answer, truth_of(case.name, case.feed, {"x": sequence}))
    assert ("LAYOUT_RECOGNISED" in reasons(answer)) == (not case.axes)
    assert answer.score == pytest.approx(scored(sequela, sequence, tmp_path / "model.onnx"), abs=1e-7)


def test_an_order_that_may_be_either_is_asked_for(sequela: Sequela) -> None:
    """(n, 3, 8) into a convolution: both lines to paste are in the message, and each of them works."""
    said = refusal(sequela, MODELS / "channel_first.onnx")
    assert '"width": 3, "axes": ["batch", "features", "time"]' in said
    assert '"width": 8, "axes": ["batch", "time", "features"]' in said
    assert "channels first" in said


@pytest.mark.parametrize("name", ["time_major", "channel_first_dyn", "nan_aware"])
def test_a_transposed_sequence_is_suspected(sequela: Sequela, name: str) -> None:
    """(3, 5) for 5 events of 3 columns."""
    assert "is it transposed?" in refusal(sequela, MODELS / f"{name}.onnx", X.T)
    assert "x[0]" in refusal(sequela, MODELS / f"{name}.onnx", X[None])


def test_rows_that_mix_in_a_recurrent_layer_are_suspected(sequela: Sequela) -> None:
    """An LSTM over the axis of sequences: the warning names the layer, the reason, and what to write."""
    answer = explained(sequela, MODELS / "mixed.onnx")
    said = next(each.message for each in answer.warnings if each.reason == "LAYOUT_SUSPECTED")
    assert "LSTM '/rnn/LSTM'" in said
    assert "batch_first=True" in said
    assert '"axes": ["time", "batch", "features"]' in said


def test_a_model_that_needs_many_events(sequela: Sequela, tmp_path: Path) -> None:
    """149 tokens at least: tried with more until it runs; or with what the schema says."""
    ids = np.random.default_rng(3).integers(0, 50, 200)
    name = "text_cnn"
    answer = sequela.explain(
        ids, model=MODELS / f"{name}.onnx", background=np.zeros(1, np.int64), max_coalitions=64
    )
    scorer = Alone(
        (MODELS / f"{name}.onnx").read_bytes(), lambda row: {"input_ids": row["ids"][None, :, 0]}
    ).scorer()
    score = scorer({"ids": ids[None, :, None]})[0, 0]
    assert answer.score == pytest.approx(score, abs=CLOSE)
    told = with_schema(tmp_path, name, trial_length=160)
    assert scored(sequela, ids, told) == pytest.approx(score, abs=CLOSE)
    (tmp_path / "schema.json").write_text('{"trial_length": 100}')
    with pytest.raises(SequelaError, match="100"):
        sequela.score([ids], model=tmp_path / "model.onnx")


def test_states_start_from_zeros(sequela: Sequela, tmp_path: Path) -> None:
    """h0 and c0 are nobody's to send: zeros, or what the schema says. Said where nobody said it."""

    def feed(start: float) -> Feed:
        state = np.full((1, 1, 6), start, np.float32)
        return lambda row: {"x": row["x"][None], "h0": state, "c0": state}

    answer = explained(sequela, MODELS / "stateful.onnx")
    assert_right(answer, truth_of("stateful", feed(0.0)))
    assert "STATES_START_AT_ZERO" in reasons(answer)
    states = [{"name": name, "role": "state", "initial": 0.5} for name in ("h0", "c0")]
    told = explained(sequela, with_schema(tmp_path, "stateful", inputs=[EVENTS, *states]))
    assert_right(told, truth_of("stateful", feed(0.5)))
    assert "STATES_START_AT_ZERO" not in reasons(told)
    sent = {"x": X, "h0": np.zeros((1, 6), np.float32)}
    assert "omit it" in refusal(sequela, MODELS / "stateful.onnx", sent, {"x": np.zeros(3, np.float32)})


def test_a_known_future_is_one_player(sequela: Sequela, tmp_path: Path) -> None:
    """Past (n, 8, 3) and future (n, 4, 2): the future as it is or flat, one player beside the events."""
    rng = np.random.default_rng(3)
    past, future = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(4, 2)).astype(np.float32)

    def feed(row: Arrays) -> Mapping[str, NDArray[Any]]:
        return {"past": row["past"][None], "future": row["future"].reshape(1, 4, 2)}

    flat = {"past": past, "future": future.reshape(-1)}
    empty = {"past": np.zeros(3, np.float32), "future": np.zeros((4, 2), np.float32)}
    for name in ("seq2seq", "seq2seq_dyn"):
        model = MODELS / f"{name}.onnx"
        if name == "seq2seq_dyn":
            said = refusal(sequela, model, {"past": past, "future": future}, empty)
            pasted = said[said.index('"inputs"') :]
            model = with_schema(tmp_path, name, **json.loads("{" + pasted[: pasted.rindex("]") + 1] + "}"))
        answer = explained(sequela, model, {"past": past, "future": future}, empty)
        assert_right(answer, truth_of(name, feed, flat))
        again = explained(
            sequela, model, flat, {"past": np.zeros(3, np.float32), "future": np.zeros(8, np.float32)}
        )
        assert again.name == answer.name


def test_features_of_a_known_future(sequela: Sequela) -> None:
    """At the level of features it is one as well."""
    rng = np.random.default_rng(3)
    x = {"past": rng.normal(size=(8, 3)).astype(np.float32), "future": rng.normal(size=8).astype(np.float32)}
    absent = {key: np.zeros_like(values) for key, values in x.items()}
    answer = explained(
        sequela,
        MODELS / "seq2seq.onnx",
        {"past": x["past"], "future": x["future"].reshape(4, 2)},
        {"past": np.zeros(3, np.float32), "future": np.zeros((4, 2), np.float32)},
        levels=["feature"],
    )
    features = {f"f{column}": {"past": [column]} for column in range(3)} | {"future": {"future": range(8)}}
    feed: Feed = lambda row: {"past": row["past"][None], "future": row["future"].reshape(1, 4, 2)}  # noqa: E731
    truth = Alone((MODELS / "seq2seq.onnx").read_bytes(), feed).events(x, absent, features)
    found = [each.values for each in answer.features.values()]
    np.testing.assert_allclose(found, truth.values, atol=CLOSE)


def test_missing_values(sequela: Sequela, tmp_path: Path) -> None:
    """NaN is refused with advice; where the schema allows it, it is a value like others. Infinity never is."""
    x = X.copy()
    x[1, 2] = x[3, 0] = np.nan
    assert "allow_nan" in refusal(sequela, MODELS / "nan_aware.onnx", x)
    model = with_schema(tmp_path, "nan_aware", inputs=[{**EVENTS, "allow_nan": True}])
    answer = explained(sequela, model, x)
    assert_right(answer, truth_of("nan_aware", lambda row: {"x": row["x"][None]}, {"x": x}))
    np.testing.assert_allclose(
        [each.value for each in answer.events][::-1], [0.0412, 0.0258, 0.0601, 0.0275, -0.0613], atol=SHOWN
    )
    other = x.copy()
    other.view(np.uint32)[1, 2] = 0xFFC00001  # another NaN: the same question
    assert explained(sequela, model, other).name == answer.name
    x[0, 0] = np.inf
    assert "holds" in refusal(sequela, model, x) or "inf" in refusal(sequela, model, x)


def test_events_of_several_axes(sequela: Sequela) -> None:
    """(n, l, 3, 4): each event is a block of 12 columns, sent as it is or flat."""
    frames = np.random.default_rng(3).normal(size=(5, 3, 4)).astype(np.float32)
    feed: Feed = lambda row: {"x": row["x"].reshape(1, 5, 3, 4)}  # noqa: E731
    truth = truth_of("frames", feed, {"x": frames.reshape(5, 12)})
    for sequence, absent in ((frames, np.zeros((3, 4))), (frames.reshape(5, 12), np.zeros(12))):
        assert_right(explained(sequela, MODELS / "frames.onnx", sequence, absent.astype(np.float32)), truth)
