"""AReM: our pruning and attributions beside timeshap 1.0.4's, on recordings that the model never saw.

timeshap's feature level keeps the pruned events as one more player, so it is our scope UNPRUNED. Its answers
vary with its seed: each attribution is the mean of ten runs, its error their spread over √10. Its own
regularisation, which sets small attributions of thinly sampled games to zero, is left as its users have it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from sequela_client import Attribution, Explanation, Sequela
from serving import Serving

from benchmarks.arem.data import AremNotFound
from benchmarks.arem.held_out import MODEL, HeldOut, held_out
from benchmarks.peers.jobs import TimeShapResult, run_timeshap
from benchmarks.peers.scorer import Scorer

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(900)]

RECORDINGS = ("cycling/1", "cycling/2", "cycling/3", "cycling/4", "cycling/5", "walking/1")
TOLERANCE = 0.025
SEEDS = range(10)
NSAMPLES = 4096  # timeshap's; a tenth of its usual, and ten times as many runs
COALITIONS = 8192  # ours
MODEL_NOISE = 1e-5  # float32 scores

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Both answers about one recording."""

    sequence: HeldOut
    ours: Explanation
    theirs: TimeShapResult


@dataclass(frozen=True)
class Compared:
    """Attributions of both, and four combined standard errors."""

    ours: Floats
    theirs: Floats
    allowed: Floats

    @property
    def agree(self) -> NDArray[np.bool_]:
        return np.abs(self.ours - self.theirs) <= self.allowed


@pytest.fixture(scope="module")
def pairs(server: Serving) -> list[Pair]:
    try:
        sequences = [held_out(name) for name in RECORDINGS]
    except AremNotFound as missing:
        pytest.skip(str(missing))
    with Sequela(server.bound.grpc) as sequela:
        return [Pair(sequence, _ours(sequela, sequence), _theirs(sequence)) for sequence in sequences]


def test_the_cut_is_timeshaps(pairs: list[Pair]) -> None:
    """At η = 0.025 we prune as many events as timeshap does, and some recordings have a history to prune."""
    ours = {pair.sequence.name: pair.ours.pruning.pruned_events for pair in pairs}
    assert ours == {pair.sequence.name: pair.theirs.pruned_events for pair in pairs}
    assert all(5 <= pair.sequence.length - ours[pair.sequence.name] <= 30 for pair in pairs)


def test_the_cut_is_the_papers(pairs: list[Pair]) -> None:
    """The cut is that of Algorithm 1, evaluated split by split."""
    for pair in pairs:
        weights = _older_events_weights(pair.sequence)
        assert pair.ours.pruning.pruned_events == np.flatnonzero(np.abs(weights) < TOLERANCE)[-1] + 1


def test_attributions_agree(pairs: list[Pair], capsys: pytest.CaptureFixture[str]) -> None:
    """At least 99 % of all attributions, the pruned events' too, lie within four combined standard errors."""
    compared = [_compared(pair) for pair in pairs]
    with capsys.disabled():
        lines = [_line(pair, both) for pair, both in zip(pairs, compared, strict=True)]
        sys.stderr.write("\n".join(["", *lines, ""]))
    agree = np.concatenate([both.agree for both in compared])
    assert len(agree) > 100
    assert agree.mean() >= 0.99


def _ours(sequela: Sequela, sequence: HeldOut) -> Explanation:
    return sequela.explain(
        sequence.values,
        model=MODEL,
        background=sequence.background,
        levels=("event", "feature"),
        pruning_tolerance=TOLERANCE,
        feature_scope="unpruned",
        max_coalitions=COALITIONS,
        target_standard_error=0.0,
        timeout=120,
    )


def _theirs(sequence: HeldOut) -> TimeShapResult:
    return run_timeshap(
        MODEL,
        sequence.values.astype(np.float64),
        sequence.background.astype(np.float64),
        tolerance=TOLERANCE,
        nsamples=NSAMPLES,
        seeds=SEEDS,
    )


def _compared(pair: Pair) -> Compared:
    """The players of both levels in timeshap's order: events from t = 0 back, P, features, P."""
    ours, theirs = pair.ours, pair.theirs
    assert ours.event_level is not None
    assert ours.feature_level is not None
    players: list[Attribution] = [
        *ours.events,
        *(item for item in ours.event_level.attributions if item.kind == "pruned"),
        *ours.features.values(),
        *(item for item in ours.feature_level.attributions if item.kind == "pruned"),
    ]
    runs = np.column_stack([theirs.events, theirs.events_pruned, theirs.features, theirs.features_pruned])
    values, errors = _numbers(players)
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    return Compared(values, runs.mean(axis=0), 4 * np.hypot(errors, error) + MODEL_NOISE)


def _older_events_weights(sequence: HeldOut) -> Floats:
    """Algorithm 1's w1 of the i oldest events, for the splits i = 1 … l - 1."""
    x, background, splits = sequence.values, sequence.background_sequence, range(1, sequence.length)
    score = Scorer(str(MODEL))
    older = score(np.stack([np.concatenate([x[:i], background[i:]]) for i in splits]))[:, 0]
    recent = score(np.stack([np.concatenate([background[:i], x[i:]]) for i in splits]))[:, 0]
    base, full = score(np.stack([background, x]))[:, 0]
    weights: Floats = ((older - base) + (full - recent)) / 2
    return weights


def _numbers(players: Sequence[Attribution]) -> tuple[Floats, Floats]:
    return np.array([p.value for p in players]), np.array([p.standard_error for p in players])


def _line(pair: Pair, compared: Compared) -> str:
    """What pruning really left aside: P's attribution in the finer game, whatever the tolerance promised."""
    ours, block = pair.ours, pair.ours.pruned
    assert block is not None
    return (
        f"{pair.sequence.name}: base {ours.base_value:.3f}, score {ours.score:.3f};"
        f" {ours.pruning.pruned_events} of {pair.sequence.length} events pruned,"
        f" their share {block.value:+.3f} ± {block.standard_error:.3f};"
        f" {compared.agree.sum()} of {len(compared.agree)} attributions agree"
    )
