"""Explanations by recurrent models run from states, option by option, against the same models run whole."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from asking import assert_alike, explainer, key, levels, loaded, question, run_whole
from matrix import BY_NAME, CASES, STATE_COUNTS, Case
from sequela.concurrency.deadline import Deadline
from sequela.explain.evaluate.prefix_states import execution
from sequela.explain.explanation import Explanation
from sequela.explain.options import FeatureScope
from sequela.explain.ports import Model
from sequela.timeshap.prefix_tree import CALL_COST
from sweeps import one_of_each_state

RECURRENT = [case for case in CASES if case.name in STATE_COUNTS]
LENGTH = 24
every_recurrent_case = pytest.mark.parametrize("case", one_of_each_state(RECURRENT), ids=str)


@pytest.fixture(autouse=True)
def share_however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "MAX_UNSHARED_WORK", 0)
    # For models as small as these, calls cost more than the events that they share.
    monkeypatch.setattr(execution, "MAX_CALL_COST", CALL_COST)


def explained(case: Case, model: Model, length: int, **options: Any) -> Explanation:
    settings = {"target_standard_error": 0.0, "max_coalitions": 256, **options}
    asked = question(model, case.sample(length), case.average(), **settings)
    return explainer(model).explain(asked, Deadline())


def compared(case: Case, length: int | None = None, **options: Any) -> Explanation:
    """The answer from states, after it was found to be the whole model's."""
    length = length or case.steps or LENGTH
    whole = explained(case, run_whole(loaded(case)), length, **options)
    states = explained(case, loaded(case), length, **options)
    assert_alike(states, whole, case.tolerance)
    if whole.pruning and states.pruning:
        assert states.pruning.pruned_events == whole.pruning.pruned_events
        assert len(states.pruning.curve) == len(whole.pruning.curve)
    if length >= LENGTH:
        assert states.cost.model_events < whole.cost.model_events
    return states


def pruning_in_the_middle(case: Case, output_event: int = 0) -> float:
    """A tolerance that prunes about half of the sequence: a little above what most older splits reach."""
    return _pruning_in_the_middle(case.name, output_event)


@cache
def _pruning_in_the_middle(name: str, output_event: int) -> float:
    case = BY_NAME[name]
    length = case.steps or LENGTH
    options = {"full_pruning_curve": True, "pruning_tolerance": 0.0, "output_event": output_event}
    whole = explained(case, run_whole(loaded(case)), length, **options)
    assert whole.pruning is not None
    reached = [max(map(abs, point.importance)) for point in whole.pruning.curve]
    return 1.01 * min(reached[: length // 2])


@every_recurrent_case
def test_pruning(case: Case) -> None:
    """A tolerance that prunes some events and leaves others: the same cut, P a player."""
    tolerance = pruning_in_the_middle(case)
    answer = compared(case, pruning_tolerance=tolerance)
    assert answer.pruning is not None
    assert 0 < answer.pruning.pruned_events < (case.steps or LENGTH)
    assert levels(answer)[0].attributions[0].kind == "pruned"


@cache
def refined(name: str) -> Explanation:
    """The answer at that tolerance with refined history, compared once."""
    case = BY_NAME[name]
    return compared(case, pruning_tolerance=pruning_in_the_middle(case), refine_history=True)


@every_recurrent_case
def test_refined_history(case: Case) -> None:
    """Blocks of history are players whose events lie together at the old end."""
    refined(case.name)


@pytest.mark.slow
def test_some_history_is_refined() -> None:
    """At that tolerance the blocks that the test above speaks of exist for some of the models."""
    found = [
        case
        for case in RECURRENT
        if any(player.kind == "history" for player in levels(refined(case.name))[0].attributions)
    ]
    assert len(found) >= 3


@pytest.mark.parametrize("length", [2, 5, 7])
@pytest.mark.parametrize("case", [case for case in RECURRENT if case.steps], ids=str)
def test_padding(case: Case, length: int) -> None:
    """Sequences shorter than a fixed length; padded before or after, as the schema says."""
    compared(case, length, pruning_tolerance=0.0)
    compared(case, length, pruning_tolerance=0.05)


@pytest.mark.parametrize("event", [-2, pytest.param(-5, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.slow if case.name == "per_event_flat" else ())
        for case in RECURRENT
        if case.per_event
    ],
    ids=str,
)
def test_an_earlier_output(case: Case, event: int) -> None:
    """Of a model with an output for every event; pruned or not, padded or not: what the whole model says of the events
    up to there. Later ones cannot matter: 0, and not part of the game.
    """
    length = case.steps or LENGTH
    for events, tolerance in ((length, 0.0), (length, pruning_in_the_middle(case, event)), (7, 0.0)):
        earlier_output(case, events, event, tolerance)


def gain(answer: Explanation) -> tuple[float, ...]:
    return tuple(target.score - (target.base_value or 0.0) for target in answer.targets)


def earlier_output(case: Case, length: int, event: int, tolerance: float) -> None:
    """Compares it with the sequence that ends there."""
    model = loaded(case)
    states = explained(case, model, length, pruning_tolerance=tolerance, output_event=event)
    ended = {name: values[: length + event] for name, values in case.sample(length).items()}
    options = {"target_standard_error": 0.0, "max_coalitions": 256, "pruning_tolerance": tolerance}
    whole = explainer(run_whole(model)).explain(
        question(run_whole(model), ended, case.average(), **options), Deadline()
    )
    assert states.pruning
    assert whole.pruning
    if states.pruning.pruned_events >= length + event:
        # The tolerance is larger than the whole difference: P takes in all that matters.
        assert states.pruning.attribution == gain(states)
        assert levels(states)[0].quality.players == 1
        return
    assert states.pruning.pruned_events == whole.pruning.pruned_events
    for level, wanted in zip(levels(states), levels(whole), strict=True):
        assert (level.quality.players, level.quality.coalitions) == (
            wanted.quality.players,
            wanted.quality.coalitions,
        )
        expected = {key(each): each for each in wanted.attributions}
        null = 0
        for each in level.attributions:
            name = tuple(part - event if isinstance(part, int) else part for part in key(each))
            if name not in expected:
                assert not any(each.values + each.standard_errors), name
                null += 1
                continue
            np.testing.assert_allclose(each.values, expected[name].values, atol=case.tolerance)
            np.testing.assert_allclose(
                each.standard_errors, expected[name].standard_errors, atol=case.tolerance
            )
        assert level.quality.null_players == null
    assert levels(states)[0].quality.null_players == -event


@every_recurrent_case
def test_features_of_the_full_sequence(case: Case) -> None:
    """Every feature player is met at the first event, alone and with static inputs."""
    compared(case, feature_scope=FeatureScope.FULL_SEQUENCE, pruning_tolerance=0.0)


@pytest.mark.parametrize("name", ["multi_input", "account"])
def test_static_inputs(name: str) -> None:
    """Static inputs that reach the states and ones that do not, at lengths of whole and broken windows."""
    case = next(case for case in RECURRENT if case.name == name)
    for length in (3, 17, 40):
        answer = compared(case, length, pruning_tolerance=0.02)
        kinds = {player.kind for level in levels(answer) for player in level.attributions}
        assert {"feature", "static"} <= kinds
