"""A small game whose rows cost is sampled first, and its error bars hold: its sample is drawn, not taken in order."""

from __future__ import annotations

import numpy as np
import pytest
from asking import explainer, levels, loaded, question
from matrix import BY_NAME
from sequela.concurrency.deadline import Deadline
from sequela.explain.estimate.design_cache import DesignCache, GameDesigns
from sequela.explain.estimate.solvers import LOCAL_SOLVERS, SOLVERS
from sequela.explain.explanation import Explanation, StopReason
from sequela.explain.levels import play
from sequela.explain.options import Estimator, Level
from sequela.timeshap.coalitions import allocation, strata

CASE = BY_NAME["transformer"]
LENGTH = 11
TARGET = 0.005
SEEDS = range(12)


def asked(seed: int, **options: object) -> Explanation:
    model = loaded(CASE)
    usual = {
        "levels": (Level.EVENT,),
        "pruning_tolerance": 0.0,
        "seed": seed,
        "estimator": Estimator.REGRESSION,
    }
    return explainer(model).explain(
        question(model, CASE.sample(LENGTH), CASE.average(), **(usual | options)), Deadline()
    )


@pytest.mark.slow
@pytest.mark.parametrize("estimator", Estimator)
def test_error_bars_of_a_small_game_hold(monkeypatch: pytest.MonkeyPatch, estimator: Estimator) -> None:
    """Over seeds, errors are what the bars say: about one of them in size, hardly ever three; and seeds differ."""
    monkeypatch.setattr(play, "EXACT_AT_ONCE", play.REMOTE_MAX_ENUMERATED)
    exact = asked(0, max_coalitions=1 << LENGTH, target_standard_error=0.0)
    (truth,) = levels(exact)
    assert truth.quality.stop_reason is StopReason.EXACT
    sizes, found = set(), []
    for seed in SEEDS:
        (level,) = levels(
            asked(seed, max_coalitions=1 << LENGTH, target_standard_error=TARGET, estimator=estimator)
        )
        assert level.quality.stop_reason is StopReason.TARGET
        sizes.add(level.quality.coalitions)
        found.append(level)
    assert max(sizes) < 1 << LENGTH
    values = np.array([[a.values[0] for a in level.attributions] for level in found])
    bars = np.array([[a.standard_errors[0] for a in level.attributions] for level in found])
    errors = values - [a.values[0] for a in truth.attributions]
    assert len({tuple(row) for row in values.tolist()}) == len(SEEDS)
    assert np.sqrt(np.mean(errors**2)) < 2 * np.sqrt(np.mean(bars**2))
    assert np.mean(np.abs(errors) > 3 * bars + 1e-6) < 0.05


def test_a_whole_game_leaves_no_process_to_solve() -> None:
    """So that no deadline keeps it from being played."""
    designs = GameDesigns(DesignCache(), LENGTH, (), 0)
    for solvers in (SOLVERS, LOCAL_SOLVERS):
        regression, variate = (
            solvers[each].seconds for each in (Estimator.REGRESSION, Estimator.CONTROL_VARIATE)
        )
        whole, part = ([layer.total for layer in strata(LENGTH)], allocation(LENGTH, 600))
        assert variate(designs, whole) == regression(designs, whole)
        assert variate(designs, part) > regression(designs, part)
