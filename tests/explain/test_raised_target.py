"""Answers of an overloaded server: a larger default target, which the answer tells, and which is not reused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from asking import explainer, levels, numbers
from demo_alert import DEMO, MODEL, request
from intervals import DEVIATIONS
from numpy.typing import NDArray
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.model_files import read_model
from sequela.api.grpc.decode.explanations import explain_request
from sequela.concurrency.deadline import Deadline
from sequela.explain.explanation import Explanation, StopReason
from sequela.explain.limits import Limits
from sequela.explain.options import Level
from sequela.explain.request import ExplainRequest, NamedModel
from sequela.explain.service import Explainer

LIMITS = Limits()
ALL_COALITIONS = 1 << 16
"""Of the 16 players of the cell level, of which the default takes some 2,000."""
SEEDS = 200


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    """The model of the demo."""
    return Loader(LIMITS).load("models/m/versions/1", read_model(DEMO / "models" / MODEL / "1", LIMITS))


@pytest.fixture
def house(model: OnnxModel) -> Explainer:
    return explainer(model)


def asked(factor: float = 1.0, level: Level = Level.CELL, **options: object) -> ExplainRequest:
    """Asks about an alert of the demo. Its features and cells are sampled, and its few events are not."""
    given = explain_request(request(), LIMITS)
    used = replace(given.options, levels=(level,), **options)  # type: ignore[arg-type]
    return replace(given, model=NamedModel("models/m/versions/1"), options=used, error_factor=factor)


def answer(house: Explainer, request: ExplainRequest) -> Explanation:
    return house.explain(request, Deadline())


def warned(found: Explanation) -> bool:
    return "ERROR_TARGET_RAISED" in [warning.reason for warning in found.warnings]


def test_the_default_target_is_raised_and_the_answer_says_so(house: Explainer) -> None:
    """Fewer coalitions, larger errors, the target that was used among the options, and a warning."""
    usual, raised = answer(house, asked()), answer(house, asked(4.0, seed=1))
    assert not warned(usual)
    assert warned(raised)
    assert raised.options.target_standard_error == pytest.approx(
        [4 * each for each in usual.options.target_standard_error]
    )
    first, second = levels(usual)[-1], levels(raised)[-1]
    assert second.quality.stop_reason is StopReason.TARGET
    assert second.quality.coalitions < first.quality.coalitions
    assert second.quality.largest_standard_error > first.quality.largest_standard_error
    assert second.quality.largest_standard_error <= raised.options.target_standard_error[0]
    assert not raised.cut_short


def test_a_target_of_the_request_is_kept(model: OnnxModel) -> None:
    """The answer is the same, bit for bit."""
    # Each by an explainer of its own, since the second one would find the first answer.
    usual, raised = (
        answer(explainer(model), asked(factor, target_standard_error=0.004)) for factor in (1.0, 4.0)
    )
    assert not warned(raised)
    assert raised.name == usual.name
    assert [numbers(each) for each in levels(raised)] == [numbers(each) for each in levels(usual)]


def test_an_answer_that_the_target_did_not_change_is_the_usual_one(house: Explainer) -> None:
    """A game that is enumerated has no errors: the same numbers, options and name, and it is reused."""
    raised, usual = answer(house, asked(4.0, Level.EVENT)), answer(house, asked(level=Level.EVENT))
    assert not warned(raised)
    assert usual.cost.cached
    assert (raised.name, raised.options) == (usual.name, usual.options)
    assert levels(usual)[0].quality.stop_reason is StopReason.EXACT


def test_a_rough_answer_is_reused_for_nobody(house: Explainer) -> None:
    """Neither for those who ask later, nor for those who ask while the server is still overloaded."""
    first, second, usual = (answer(house, asked(factor)) for factor in (2.0, 2.0, 1.0))
    assert not any(each.cost.cached for each in (first, second, usual))
    assert len({each.name for each in (first, second, usual)}) == 3
    # It can be read by its name.
    assert house._explanations.get(first.name).explanation.name == first.name
    # A full answer that is stored serves an overloaded server well.
    again = answer(house, asked(4.0))
    assert again.cost.cached
    assert again.name == usual.name


def test_a_share_of_time_ends_the_levels_but_not_the_scores(house: Explainer) -> None:
    """With no time at all there are the scores, and what was not computed says so."""
    found = answer(house, replace(asked(), share_seconds=0.0))
    assert found.cut_short
    assert found.targets[0].score != found.targets[0].base_value
    assert {level.quality.stop_reason for level in levels(found)} == {StopReason.NOT_COMPUTED}
    assert "not enough time was left" in levels(found)[0].quality.detail
    # The 20 events of X and of B, for the scores. Nothing else takes time from those who wait.
    assert found.cost.model_events == 2 * 20


def test_scores_need_no_time_for_levels(house: Explainer) -> None:
    """Once the levels would have to end, there are the scores all the same."""
    found = house.explain(asked(), Deadline(60.0, conclusion=60.0))
    assert found.targets[0].score != found.targets[0].base_value
    assert {level.quality.stop_reason for level in levels(found)} == {StopReason.NOT_COMPUTED}


@pytest.mark.slow
def test_the_error_bars_of_rough_answers_are_honest(house: Explainer) -> None:
    """95 % intervals hold the exact value of 93 to 98 % of all players and seeds: they are never too narrow."""
    exact = answer(house, asked(target_standard_error=0.0, max_coalitions=ALL_COALITIONS))
    assert levels(exact)[-1].quality.stop_reason is StopReason.EXACT
    truth, held = _values(exact), []
    for seed in range(1, SEEDS + 1):
        found = answer(house, asked(4.0, seed=seed))
        # Which cells stand alone may depend on the sample.
        if not warned(found) or _players(found) != _players(exact):
            continue
        errors = np.array([each.standard_errors[0] for each in levels(found)[-1].attributions])
        held.append(np.abs(_values(found) - truth) <= DEVIATIONS * errors)
    assert len(held) > SEEDS / 2
    assert 0.93 <= np.mean(held) <= 0.98


def _values(found: Explanation) -> NDArray[np.float64]:
    return np.array([each.values[0] for each in levels(found)[-1].attributions])


def _players(found: Explanation) -> list[object]:
    return [
        (each.kind, each.first_event, each.last_event, each.feature)
        for each in levels(found)[-1].attributions
    ]
