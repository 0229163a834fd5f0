"""The cases are what the tables call them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from benchmarks.cases import CASES, Case, convolution, gru, transformer
from benchmarks.peers.scorer import FromStates, Scorer, opened
from benchmarks.stateful import with_states

TOLERANCE = 0.025
SCANNED = 30  # most recent events


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def kept(case: Case) -> tuple[float, int]:
    """f(X) - f(B), and the events that Algorithm 1 keeps, split by split from its definition."""
    x = case.columns
    background = np.broadcast_to(case.background_columns, x.shape)
    score = Scorer(str(case.model))

    def value(i: int) -> tuple[float, float]:
        both = [np.concatenate([x[:i], background[i:]]), np.concatenate([background[:i], x[i:]])]
        older, recent = score(np.stack(both))[:, 0]
        return float(older), float(recent)

    base, full = (float(each) for each in score(np.stack([background, x]))[:, 0])
    for i in range(len(x) - 1, len(x) - SCANNED, -1):
        older, recent = value(i)
        if abs((older - base) + (full - recent)) / 2 < TOLERANCE:
            return full - base, len(x) - i
    return full - base, SCANNED


@pytest.mark.parametrize("length", [47, 286, 2187])
def test_the_gru_keeps_nine_to_eleven_events(folder: Path, length: int) -> None:
    """At η = 0.025 of a score that moved by more than a half."""
    moved, events = kept(gru(folder, length))
    assert moved > 0.5
    assert 9 <= events <= 11


@pytest.mark.parametrize("make", [transformer, convolution])
def test_the_others_prune_too(folder: Path, make: object) -> None:
    """A score that moved by more than a half, and events that matter less than others."""
    moved, events = kept(make(folder))  # type: ignore[operator]
    assert moved > 0.5
    assert 5 <= events <= 20


def test_a_model_is_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    """The seed fixes the file."""
    assert gru(folder, 47).model.read_bytes() == gru(tmp_path, 47).model.read_bytes()


@pytest.mark.parametrize("make", [lambda f: gru(f, 20), transformer, convolution])
def test_models_take_any_batch_and_length(folder: Path, make: object) -> None:
    """Every row is scored for itself."""
    score = Scorer(str(make(folder).model))  # type: ignore[operator]
    x = np.random.default_rng(0).normal(size=(5, 13, 45))
    alone = [score(one[np.newaxis])[0] for one in x]
    np.testing.assert_allclose(score(x), alone, atol=1e-5)
    assert score(x[:, :2]).shape == (5, 1)


def test_the_demos_inputs_lie_in_the_models_order(folder: Path) -> None:
    """Side by side, as peers get them, they score as one by one."""
    case = CASES["demo"](folder)
    session = ort.InferenceSession(str(case.model), providers=["CPUExecutionProvider"])
    wanted = session.run(None, {name: values[np.newaxis] for name, values in case.inputs.items()})[0]
    found = Scorer(str(case.model))(case.columns[np.newaxis])
    np.testing.assert_allclose(found.ravel(), np.ravel(wanted), atol=1e-6)


@pytest.fixture(params=["gru", "arem"])
def model(request: pytest.FixtureRequest, folder: Path) -> Path:
    """One layer made by hand, and two as torch exports them."""
    arem = Path(__file__).parents[1] / "fixtures" / "arem" / "arem_gru.onnx"
    return gru(folder, 20).model if request.param == "gru" else arem


def test_states_change_nothing(model: Path, tmp_path: Path) -> None:
    """Scores are those of the plain model, run whole, or in two parts of which the second starts from the states of
    the first, in batches smaller than the rows; one state stands for all rows.
    """
    stateful = opened(str(with_states(model, tmp_path / "states.onnx")), batch=2, threads=1)
    assert isinstance(stateful, FromStates)
    plain = opened(str(model), batch=2, threads=1)
    assert type(plain) is Scorer
    width = plain._inputs[0].shape[-1]
    x: NDArray[np.float64] = np.random.default_rng(0).normal(size=(5, 9, width))
    wanted = plain(x)
    whole, _ = stateful(x)
    _, states = stateful(x[:, :4])
    parts, _ = stateful(x[:, 4:], states)
    np.testing.assert_allclose(whole, wanted, atol=1e-6)
    np.testing.assert_allclose(parts, wanted, atol=1e-6)
    same_past = np.concatenate([np.broadcast_to(x[:1, :4], (5, 4, width)), x[:, 4:]], axis=1)
    one, _ = stateful(x[:, 4:], states[:, :1])
    np.testing.assert_allclose(one, plain(same_past), atol=1e-6)
