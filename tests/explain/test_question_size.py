"""The memory of one question is bounded by players × coalitions × targets, whichever of them is large."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from asking import explainer, levels, loaded, question
from matrix import BY_NAME
from sequela.concurrency.deadline import Deadline
from sequela.errors import InvalidInput
from sequela.explain.estimate.question_size import QuestionBudget, question_bytes
from sequela.explain.explanation import StopReason
from sequela.explain.limits import Limits
from sequela.explain.options import Level
from sequela.timeshap.coalitions import allocation
from sequela.timeshap.designs import NewDesigns
from sequela.timeshap.pair_order import PairSampler
from sequela.timeshap.rank_solver import solve_ranked

MODEL = BY_NAME["targets64"]
OPTIONS: dict[str, Any] = {
    "levels": (Level.EVENT,),
    "pruning_tolerance": 0.0,
    "target_standard_error": 0.0,
    "max_coalitions": 512,
}


def solving_peak(players: int, coalitions: int, targets: int) -> int:
    """The most bytes that drawing and solving a sample of noise holds at a time."""
    rng = np.random.default_rng(0)
    counts = allocation(players, coalitions)
    tracemalloc.start()
    sampler = PairSampler(players, 0)
    odd = [rng.normal(size=(count, targets)) for count in counts]
    solve_ranked(NewDesigns(sampler), odd, rng.normal(size=targets))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    ("players", "coalitions", "targets"),
    [(300, 1_400, 16), (40, 20_000, 4), pytest.param(600, 2_500, 2, marks=pytest.mark.slow)],
)
def test_the_estimate_is_near_the_truth(players: int, coalitions: int, targets: int) -> None:
    """Of many players with many targets, and of many coalitions: within a factor of 2.5 of what is measured."""
    ratio = solving_peak(players, coalitions, targets) / question_bytes(players, coalitions, targets)
    assert 0.4 < ratio < 2.5


@pytest.mark.parametrize(
    ("players", "coalitions", "targets"),
    [(3_300, 1 << 18, 64), (4_096, 1 << 20, 8), (1_200, 1 << 16, 64)],
)
def test_what_took_gigabytes_is_refused_by_default(players: int, coalitions: int, targets: int) -> None:
    with pytest.raises(InvalidInput, match="--max-question-bytes"):
        QuestionBudget(Limits().max_question_bytes).check(players, coalitions, targets)


@pytest.mark.parametrize(
    ("players", "coalitions", "targets"), [(60, 1 << 20, 64), (4_096, 32_768, 1), (500, 32_768, 64)]
)
def test_what_each_limit_allows_is_not_refused(players: int, coalitions: int, targets: int) -> None:
    """The largest budget with all targets, the most players, and both at their default."""
    QuestionBudget(Limits().max_question_bytes).check(players, coalitions, targets)


def test_a_refusal_names_field_value_and_setting() -> None:
    """Three targets of forty events: with enough memory they are solved, with less they are refused before a sample
    is drawn.
    """
    model = loaded(MODEL)
    asked = question(model, MODEL.sample(40), MODEL.average(), **OPTIONS)
    needed = question_bytes(40, 512, 3)
    answer = explainer(model, limits=Limits(max_question_bytes=needed)).explain(asked, Deadline())
    assert levels(answer)[0].quality.stop_reason is StopReason.BUDGET
    with pytest.raises(InvalidInput) as caught:
        explainer(model, limits=Limits(max_question_bytes=needed - 1)).explain(asked, Deadline())
    assert caught.value.reason == "QUESTION_TOO_LARGE"
    assert [each.field for each in caught.value.violations] == ["options.targets"]
    for part in (
        "3 targets of 40 players",
        "512 coalitions",
        f"{needed} bytes",
        f"{needed - 1} (--max-question-bytes)",
    ):
        assert part in caught.value.message
