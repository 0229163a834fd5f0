"""Pruned events that offset each other are said to, and refine_history takes them apart: through the client, against
the brute force.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import player_sets
import pytest
from brute_force import Arrays, attributions, pruning_curve
from endpoint_folders import reachable, serving, write_endpoint
from inference_server import InferenceServer, ServedModel
from numpy.typing import NDArray
from plain_scorer import session
from sequela_client import Sequela
from sequela_client.explanation_parts import Verdict
from sequela_client.phrases import Phrases
from sequela_client.summary import summary_lines
from small_onnx import FLOAT, scoring

CASES = Path(__file__).resolve().parent.parent / "fixtures" / "cases"
MODEL = CASES / "pooled.onnx"
X: NDArray[np.float32] = np.load(CASES / "cancel_x.npy")
ZERO = np.zeros(3)
ETA = 0.025
LAYOUT = player_sets.Layout(60, {"x": 3}, {}, {})


def score(arrays: Arrays) -> NDArray[np.float64]:
    """One row at a time."""
    run = session(MODEL)
    rows = [run.run(None, {"x": row[None].astype(np.float32)})[0].reshape(1, -1) for row in arrays["x"]]
    scores: NDArray[np.float64] = np.concatenate(rows).astype(np.float64)
    return scores


def curve() -> NDArray[np.float64]:
    """w1 of the i oldest events, i = 1 … 59."""
    found: NDArray[np.float64] = pruning_curve(score, {"x": X}, {"x": np.zeros_like(X)})[:, 0]
    return found


def test_events_that_cancel_each_other_are_named(sequela: Sequela) -> None:
    """The cut is TimeSHAP's, and P as a whole is within η; older splits of the curve are not: OFFSETTING, and a warning
    with the split where most is hidden.
    """
    wanted = curve()
    answer = sequela.explain(X, model=MODEL, background=ZERO)
    pruning = answer.pruning
    assert pruning.pruned_events == 59
    assert pruning.value == pytest.approx(-0.0018, abs=1e-4)
    assert abs(wanted[58]) < ETA < np.abs(wanted[:58]).max()
    assert pruning.verdict is Verdict.OFFSETTING
    for point in pruning.curve:
        assert point.importance == pytest.approx(wanted[59 + point.t], abs=1e-6)
    (warning,) = answer.warnings
    assert warning.reason == "HISTORY_OFFSETS"
    split = int(np.abs(wanted[:58]).argmax()) + 1
    assert f"(up to t={split - 60}) contribute +{wanted[split - 1]:.3g}" in warning.message
    assert "refine_history" in warning.message


def test_the_words_say_so(sequela: Sequela) -> None:
    """The command's table and its story."""
    answer = sequela.explain(X, model=MODEL, background=ZERO)
    said = Phrases(answer).pruning()
    assert "59 oldest events were taken together: -0.0018, but they offset each other" in said
    assert "the 56 oldest alone count for +0.1562, more than the tolerance of 0.0250" in said
    assert said.endswith("See which with refine_history.")
    story = list(summary_lines(answer))
    assert "The 59 older events (t=-59…-1) offset each other: +0.00 together, but the 56 oldest" in story[-1]
    refined = sequela.explain(X, model=MODEL, background=ZERO, refine_history=True)
    assert Phrases(refined).pruning().endswith("Below it is split into 8 parts.")


def test_within_claims_no_more_than_was_scanned(sequela: Sequela) -> None:
    """The scan ends with the cut's window; that older parts were not looked at is said, until they are."""
    x = np.zeros((45, 3))
    x[-1] = 2.0
    short = sequela.explain(x, model=MODEL, background=ZERO)
    assert short.pruning.verdict is Verdict.WITHIN
    assert "The pruning curve was scanned back to t=-8 only" in Phrases(short).pruning()
    whole = sequela.explain(x, model=MODEL, background=ZERO, full_pruning_curve=True)
    assert "scanned back" not in Phrases(whole).pruning()


def test_refined_history_takes_them_apart(sequela: Sequela) -> None:
    """Eight blocks at the curve's steps, exact by the brute force; events worth up to 0.088 stand alone, and what still
    hides within a block is said.
    """
    answer = sequela.explain(X, model=MODEL, background=ZERO, refine_history=True, levels=["event"])
    blocks = [(block.first_t, block.last_t) for block in answer.history][::-1]
    assert len(blocks) == 8
    assert len(answer.pruning.curve) == 59
    history = [range(LAYOUT.position(first or 0), LAYOUT.position(last or 0) + 1) for first, last in blocks]
    players = player_sets.blocks(LAYOUT, history, 59)
    wanted = attributions(score, {"x": X}, {"x": np.zeros_like(X)}, players)
    for block in answer.history:
        assert block.value == pytest.approx(wanted.of("block", block.first_t, block.last_t)[0], abs=1e-6)
    alone = {block.last_t: block.value for block in answer.history if block.first_t == block.last_t}
    assert len(alone) >= 5
    assert max(map(abs, alone.values())) > 0.08
    assert answer.pruning.verdict is Verdict.OFFSETTING
    (warning,) = answer.warnings
    assert "8 parts. In 1 of them," in warning.message


def test_history_that_was_opened_is_not_warned_of(sequela: Sequela, tmp_path: Path) -> None:
    """Two events that take each other back in a mean, and nothing else: both stand alone, no warning is left."""
    model = tmp_path / "mean.onnx"
    model.write_bytes(scoring({"x": (FLOAT, ["n", "l", 3])}))
    x = np.zeros((20, 3))
    x[4], x[11] = 40.0, -40.0
    question = {"model": model, "background": ZERO, "levels": ["event"]}
    plain = sequela.explain(x, full_pruning_curve=True, **question)
    assert [each.reason for each in plain.warnings] == ["HISTORY_OFFSETS"]
    opened = sequela.explain(x, refine_history=True, **question)
    alone = {block.last_t for block in opened.history if block.first_t == block.last_t}
    assert {-15, -8} <= alone
    assert not opened.warnings


def test_features_alone_get_the_verdict_too(sequela: Sequela) -> None:
    """Of the feature level's game; without any level the warning alone is left; the full sequence rests on no cut."""
    features = sequela.explain(X, model=MODEL, background=ZERO, levels=["feature"])
    assert features.pruning.verdict is Verdict.OFFSETTING
    assert [each.reason for each in features.warnings] == ["HISTORY_OFFSETS"]
    whole = sequela.explain(
        X, model=MODEL, background=ZERO, levels=["feature"], feature_scope="full_sequence"
    )
    assert whole.pruning.verdict is None
    assert not whole.warnings


def test_on_log_odds_the_curve_is_in_log_odds(sequela: Sequela) -> None:
    """η is a fraction of the difference there, and so much less than what the older splits are worth."""
    answer = sequela.explain(X, model=MODEL, background=ZERO, link="logit", pruning_tolerance=0.15)
    assert answer.pruning.verdict is Verdict.OFFSETTING
    older = [point.importance for point in answer.pruning.curve if point.t < -1]
    assert max(map(abs, older)) > 0.5


@pytest.mark.parametrize(("budget", "points"), [(200, 59), (100, 8)])
def test_an_endpoints_rows_are_spared(tmp_path: Path, budget: int, points: int) -> None:
    """Behind an endpoint refine_history scans the whole curve only where its 118 rows are within a level's budget."""
    with InferenceServer({"pooled": ServedModel(MODEL.read_bytes())}) as endpoint:
        write_endpoint(tmp_path, "pooled", f"grpc://127.0.0.1:{endpoint.port}/pooled", version="")
        with serving(tmp_path) as served, Sequela(served.bound.grpc) as client:
            reachable(served, "pooled")
            answer = client.explain(
                X,
                model="pooled",
                background=ZERO,
                refine_history=True,
                max_coalitions=budget,
                pruning_tolerance=ETA,
                levels=["event"],
            )
    assert len(answer.pruning.curve) == points
    assert answer.pruning.verdict is Verdict.OFFSETTING
    assert answer.history
