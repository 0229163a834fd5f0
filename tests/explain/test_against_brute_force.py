"""Every kind of model, every level: exact answers equal the brute force over all coalitions."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import player_sets
import pytest
from asking import ask, assert_same
from brute_force import attributions, cut, pruning_curve
from matrix import BY_NAME, CASES, Case
from sequela.explain.explanation import Explanation, StopReason
from sequela.explain.options import FeatureScope, Level
from sequela.timeshap.pruning import Verdict
from sweeps import one_of_a_form, one_of_a_kind, one_of_each_state

LENGTH = 6
EXACT = {"target_standard_error": 0.0}
SWEEP = pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
FORMS = pytest.mark.parametrize("case", one_of_a_form(CASES), ids=str)
"""For what is worked out from the values of coalitions, however the model computes them."""


class Truth:
    """The brute force's view of one sequence."""

    def __init__(self, case: Case, length: int = LENGTH, seed: int = 0) -> None:
        self.case = case
        self.sequence = case.sample(length, seed)
        self.average = case.average()
        self._background = case.background(length)
        self.layout = case.layout(length)
        self._scorer = case.scorer()

    def ask(self, **options: Any) -> Explanation:
        """For all targets in the model's order, as the brute force has them."""
        wanted = EXACT | {"targets": tuple(map(str, range(len(self.case.targets))))}
        return ask(self.case, self.sequence, self.average, **wanted | options)

    def of(self, players: list[Any]):
        return attributions(self._scorer, self.sequence, self._background, players)

    def curve(self):
        return pruning_curve(self._scorer, self.sequence, self._background)

    def cut(self, tolerance: float) -> int:
        return cut(self.curve(), tolerance)

    def tolerance_that_prunes(self, events: int) -> float:
        """A tolerance between w1 values, so that rounding cannot move the cut; prunes `events` or more."""
        strength = np.abs(self.curve()).max(axis=1)
        return float(strength[events - 1] * 1.0001 + 1e-12)


@cache
def unpruned_events(name: str) -> tuple[Explanation, Any]:
    """The answer about all events, and what the brute force says of them."""
    truth = Truth(BY_NAME[name])
    answer = truth.ask(levels=(Level.EVENT,), pruning_tolerance=0.0)
    return answer, truth.of(player_sets.events(truth.layout))


@SWEEP
def test_scores(case: Case) -> None:
    """Score and base value are the model's own, for every target."""
    answer, wanted = unpruned_events(case.name)
    np.testing.assert_allclose([t.score for t in answer.targets], wanted.score, atol=case.tolerance)
    np.testing.assert_allclose([t.base_value for t in answer.targets], wanted.base, atol=case.tolerance)
    assert len(answer.targets) == len(case.targets)


@SWEEP
def test_events_without_pruning(case: Case) -> None:
    """η = 0: every event is a player, and static inputs together are one."""
    answer, wanted = unpruned_events(case.name)
    assert answer.levels.get("event") is not None
    assert answer.pruning is not None
    assert answer.pruning.pruned_events == 0
    assert_same(answer.levels.get("event"), wanted, case.tolerance)


@SWEEP
def test_the_cut_and_the_levels_after_it(case: Case) -> None:
    """Algorithm 1's cut, then events with P, and features in both scopes."""
    truth = Truth(case)
    eta = truth.tolerance_that_prunes(2)
    pruned = truth.cut(eta)
    assert pruned >= 2
    answer = truth.ask(levels=(Level.EVENT, Level.FEATURE), pruning_tolerance=eta)
    assert answer.pruning is not None
    assert answer.levels.get("event") is not None
    assert answer.levels.get("feature") is not None
    assert answer.pruning.pruned_events == pruned
    assert_same(
        answer.levels.get("event"), truth.of(player_sets.events(truth.layout, pruned)), case.tolerance
    )
    assert_same(
        answer.levels.get("feature"), truth.of(player_sets.features(truth.layout, pruned)), case.tolerance
    )
    full = truth.ask(levels=(Level.FEATURE,), pruning_tolerance=eta, feature_scope=FeatureScope.FULL_SEQUENCE)
    assert full.levels.get("feature") is not None
    assert_same(
        full.levels.get("feature"), truth.of(player_sets.features_of_all_events(truth.layout)), case.tolerance
    )


@FORMS
def test_cells_by_rank(case: Case) -> None:
    """The two strongest events and features are opened into cells; everything else stays grouped."""
    truth = Truth(case)
    eta = truth.tolerance_that_prunes(2)
    pruned = truth.cut(eta)
    answer = truth.ask(pruning_tolerance=eta, top_k_events=2, top_k_features=2)
    events = truth.of(player_sets.events(truth.layout, pruned))
    features = truth.of(player_sets.features(truth.layout, pruned))
    varying = [p for p in features.players if p.key[0] == "feature" and truth.layout.varies(p.key[1])]
    strength = {p.key[1]: np.abs(features.of(*p.key)).max() for p in varying}
    strongest = sorted(strength, key=strength.__getitem__, reverse=True)[:2]
    players = player_sets.cells(truth.layout, pruned, player_sets.strongest(events, "event", 2), strongest)
    assert answer.levels.get("cell") is not None
    if case.name == "constant":
        assert not any(any(a.values) for a in answer.levels["cell"].attributions)
        return
    assert_same(answer.levels.get("cell"), truth.of(players), case.tolerance)


@pytest.mark.parametrize("case", one_of_each_state(CASES), ids=str)
def test_cells_by_threshold(case: Case) -> None:
    """θ between two strengths opens exactly the events and features above it; additivity is exact."""
    truth = Truth(case)
    _, events = unpruned_events(case.name)
    theta = float(np.median([np.abs(events.of(*p.key)).max() for p in events.players]) * 1.01 + 1e-12)
    features = truth.of(player_sets.features(truth.layout))
    players = player_sets.cells(
        truth.layout,
        0,
        player_sets.above(events, "event", theta),
        player_sets.above(features, "feature", theta),
    )
    answer = truth.ask(pruning_tolerance=0.0, cell_threshold=theta, max_coalitions=1 << 16)
    assert answer.levels.get("cell") is not None
    if len(players) <= 13:
        assert_same(answer.levels.get("cell"), truth.of(players), case.tolerance)
    assert answer.levels["cell"].quality.additivity_residual < 1e-9 * max(1.0, abs(answer.targets[0].score))


@pytest.mark.parametrize(
    ("name", "seed", "eta"),
    [
        ("gru", 0, 0.01),
        pytest.param("stacked_gru", 0, 0.003, marks=pytest.mark.slow),
        ("bidirectional_lstm", 15, 0.003),
        pytest.param("lstm", 2, 0.03, marks=pytest.mark.slow),
        pytest.param("transformer", 10, 0.1, marks=pytest.mark.slow),
        pytest.param("conv", 0, 0.003, marks=pytest.mark.slow),
        ("multi_input", 2, 0.003),
        ("static64", 1, 0.03),
    ],
)
def test_history_blocks(name: str, seed: int, eta: float) -> None:
    """P holds more than the tolerance although the cut is right: refine_history splits the part that matters or hides
    most, by the rule of `docs/pruning.md`, and every block is exact. The coarse P and the sum of the blocks stand in
    `pruning`.
    """
    case = next(c for c in CASES if c.name == name)
    truth = Truth(case, length=9, seed=seed)
    pruned = truth.cut(eta)
    answer = truth.ask(levels=(Level.EVENT,), pruning_tolerance=eta, refine_history=True)
    assert answer.levels.get("event") is not None
    assert answer.pruning is not None
    assert answer.pruning.pruned_events == pruned
    blocks = _refined(truth, pruned, eta)
    assert len(blocks) > 1
    refined = truth.of(player_sets.blocks(truth.layout, blocks, pruned))
    assert_same(answer.levels.get("event"), refined, case.tolerance)
    whole = truth.of(player_sets.events(truth.layout, pruned)).of("pruned")
    parts = sum(refined.of("block", truth.layout.t(b[0]), truth.layout.t(b[-1])) for b in blocks)
    np.testing.assert_allclose(answer.pruning.attribution, whole, atol=case.tolerance)
    np.testing.assert_allclose(answer.pruning.history_attribution, parts, atol=case.tolerance)
    assert answer.pruning.verdicts == (Verdict.EXCEEDS,)


def _refined(truth: Truth, cut: int, eta: float) -> list[range]:
    """The blocks by the rule, worked out with the brute force for one target."""
    blocks = [range(cut)] if cut else []
    worth = np.concatenate([[0.0], truth.curve()[:, 0]])  # of the i oldest events
    while blocks and len(blocks) < 8:
        result = truth.of(player_sets.blocks(truth.layout, blocks, cut))
        sizes, moves = [], []
        for b in blocks:
            sizes.append(float(np.abs(result.of("block", truth.layout.t(b[0]), truth.layout.t(b[-1]))).max()))
            moves.append(float(np.ptp(worth[b.start : b.stop + 1])))
        large = [i for i, b in enumerate(blocks) if len(b) > 1 and max(sizes[i], moves[i]) > eta]
        if not large:
            break
        worst = max(large, key=lambda i: max(sizes[i], moves[i]))
        block = blocks[worst]
        middle = block.start + (len(block) + 1) // 2
        if moves[worst] > eta:
            steps = np.abs(np.diff(worth[block.start : block.stop + 1]))
            done = [i for i in range(1, len(block)) if steps[:i].sum() >= steps.sum() / 2]
            middle = block.start + (done[0] if done else len(block) - 1)
        blocks[worst : worst + 1] = [range(block.start, middle), range(middle, block.stop)]
    return blocks


@FORMS
def test_what_is_exact_says_so(case: Case) -> None:
    """Every level of a small game is EXACT, with its number of coalitions, and costs what it says."""
    answer = Truth(case).ask(pruning_tolerance=0.0, top_k_events=1, top_k_features=1)
    for level in (answer.levels.get("event"), answer.levels.get("feature"), answer.levels.get("cell")):
        assert level is not None
        assert level.quality.stop_reason is StopReason.EXACT
        assert level.quality.coalitions == 2**level.quality.players
        assert level.quality.largest_standard_error == 0
    assert answer.cost.model_rows > 0
