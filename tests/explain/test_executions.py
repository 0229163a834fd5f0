"""However a model is run (whole or from states, by one worker or several), its explanation is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking import Watched, explainer, levels, loaded, numbers, question
from matrix import CASES, STATE_COUNTS, Case
from sequela.concurrency.deadline import Deadline
from sequela.concurrency.worker_pool import WorkerPool
from sequela.explain.evaluate.prefix_states import execution
from sequela.explain.explanation import Explanation
from sequela.explain.ports import Model
from sweeps import one_of_each_state, size

LENGTH = 24


def explained(case: Case, model: Model, workers: int, **options: Any) -> Explanation:
    """Sampled events (nothing is pruned), features and cells."""
    length = case.steps or LENGTH
    usual: dict[str, Any] = {"pruning_tolerance": 0.0, "max_coalitions": 2048}
    asked = question(model, case.sample(length), case.average(), **(usual | options))
    pool = WorkerPool(workers)
    try:
        return explainer(model, pool=pool).explain(asked, Deadline())
    finally:
        pool.close()


SOME = {"gru", "fixed_left"}
"""Without padding and with it; that workers do not matter to the others either is for the slow run."""


@pytest.mark.parametrize(
    "case",
    [case if case.name in SOME else pytest.param(case, marks=pytest.mark.slow) for case in CASES],
    ids=str,
)
def test_the_number_of_workers_changes_no_bit(case: Case) -> None:
    """One, two and five workers: the same attributions and standard errors, to the last bit."""
    alone = explained(case, loaded(case), 1, target_standard_error=0.0)
    for workers in (2, 5):
        together = explained(case, loaded(case), workers, target_standard_error=0.0)
        for one, many in zip(levels(alone), levels(together), strict=True):
            assert numbers(one) == numbers(many)


@pytest.mark.parametrize(
    "case", one_of_each_state(case for case in CASES if case.name in STATE_COUNTS), ids=str
)
def test_from_states_is_as_good_as_whole(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same coalitions, the same attributions to float noise, for a fraction of the events run."""
    monkeypatch.setattr(execution, "MAX_UNSHARED_WORK", 0)  # however small the model is
    tight = {"target_standard_error": 0.0, "max_coalitions": size(1024, 2048)}
    whole = explained(case, Watched(loaded(case), lambda _: None), 1, **tight)
    states = explained(case, loaded(case), 1, **tight)
    for plain, quick in zip(levels(whole), levels(states), strict=True):
        assert quick.quality.coalitions == plain.quality.coalitions
        for a, b in zip(plain.attributions, quick.attributions, strict=True):
            np.testing.assert_allclose(b.values, a.values, rtol=0, atol=case.tolerance)
            np.testing.assert_allclose(b.standard_errors, a.standard_errors, rtol=0, atol=case.tolerance)
    assert states.cost.model_events < whole.cost.model_events
