"""Time and company: deadlines, cancellation, the same question asked twice, or by many at once."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from adapters.store.store_samples import Heard
from asking import Watched, ask, explainer, levels, loaded, numbers, question
from matrix import BY_NAME
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled, OutOfTime
from sequela.explain.estimate.solvers import LOCAL_SOLVERS
from sequela.explain.explanation import Cost, Explanation, StopReason
from sequela.explain.options import Estimator, Level
from sequela.explain.telemetry import CacheLookup
from waiting import PATIENCE

GRU = BY_NAME["gru"]
EVENTS = (Level.EVENT,)


def out_of_time_at(case: Any, batch: int) -> tuple[Watched, Deadline]:
    """A model whose batch of that number uses up all the time of the clock."""
    deadline = Deadline()

    def spend(number: int) -> None:
        if number == batch:
            deadline.end = deadline.now()

    return Watched(loaded(case), spend), deadline


def test_a_deadline_gives_the_best_answer_so_far() -> None:
    """Time runs out while sampling: the level says DEADLINE, is additive, and the answer is never reused."""
    model, deadline = out_of_time_at(GRU, batch=6)
    house = explainer(model)
    asked = question(
        model,
        GRU.sample(60),
        GRU.average(),
        pruning_tolerance=0.0,
        target_standard_error=0.0,
        max_coalitions=8_192,
        levels=EVENTS,
    )
    first = house.explain(asked, deadline)
    (level,) = levels(first)
    assert level.quality.stop_reason is StopReason.DEADLINE
    assert level.quality.additivity_residual < 1e-9
    assert level.quality.coalitions < 8_192
    assert first.cut_short
    second = house.explain(asked, Deadline())
    assert not second.cost.cached
    assert second.name != first.name
    assert levels(second)[0].quality.stop_reason is StopReason.BUDGET


def test_levels_that_time_leaves_no_room_for_say_so() -> None:
    """Time runs out before the first sample: every level is NOT_COMPUTED; score and base value stand."""
    model, deadline = out_of_time_at(GRU, batch=1)
    asked = question(model, GRU.sample(60), GRU.average(), pruning_tolerance=0.0)
    answer = explainer(model).explain(asked, deadline)
    assert [level.quality.stop_reason for level in levels(answer)] == [StopReason.NOT_COMPUTED] * 3
    assert "time" in levels(answer)[0].quality.detail
    assert answer.cut_short
    assert answer.targets[0].score != answer.targets[0].base_value


def test_a_scan_cut_short_prunes_what_it_did_not_see() -> None:
    """The deadline ends the scan: P is everything older than the scanned part, and the answer says so."""
    case = BY_NAME["linear64"]
    model, deadline = out_of_time_at(case, batch=24)
    asked = question(model, case.sample(9000), case.average(), levels=EVENTS, pruning_tolerance=1e-15)
    answer = explainer(model).explain(asked, deadline)
    assert answer.pruning is not None
    assert not answer.pruning.scan_complete
    oldest_seen = answer.pruning.curve[-1].event
    assert answer.pruning.pruned_events == 9000 + oldest_seen - 1
    assert answer.cut_short


def test_a_deadline_too_short_for_a_score_is_an_error() -> None:
    """Not even f(X) and f(B) fit."""
    with pytest.raises(OutOfTime) as caught:
        ask(GRU, GRU.sample(5), GRU.average(), timeout=0.0)
    assert caught.value.reason == "DEADLINE_TOO_SHORT"


def test_a_cancelled_request_stops_between_batches() -> None:
    """When the caller is gone, no further batch is evaluated."""
    deadline = Deadline()
    model = Watched(loaded(GRU), lambda batch: deadline.cancel() if batch == 3 else None)
    asked = question(model, GRU.sample(2000), GRU.average(), pruning_tolerance=0.0)
    with pytest.raises(Cancelled):
        explainer(model).explain(asked, deadline)
    assert model.batches == 3


def test_the_same_content_is_worked_out_once() -> None:
    """Another alert with the same content gets its own name and labels, and the numbers first found."""
    model = Watched(loaded(GRU), lambda _: None)
    house = explainer(model)
    asked = question(model, GRU.sample(9), GRU.average())
    first = house.explain(replace(asked, caller_id="alert-1"), Deadline())
    batches = model.batches
    second = house.explain(replace(asked, caller_id="alert-2", labels={"queue": "night"}), Deadline())
    assert model.batches == batches
    assert second.cost.cached
    assert (second.caller_id, second.labels) == ("alert-2", {"queue": "night"})
    assert first.name != second.name
    assert [numbers(level) for level in levels(first)] == [numbers(level) for level in levels(second)]
    other = house.explain(question(model, GRU.sample(9), GRU.average(), seed=1), Deadline())
    assert not other.cost.cached


def test_the_same_request_is_read_from_the_store_once() -> None:
    """It gets exactly what was stored, which the look-up of its content has found already."""
    heard = Heard()
    model = loaded(GRU)
    house = explainer(model, observer=heard)
    asked = replace(question(model, GRU.sample(9), GRU.average()), caller_id="alert-1")
    first = house.explain(asked, Deadline())
    heard.records.clear()
    again = house.explain(asked, Deadline())
    assert again == replace(first, cost=Cost(cached=True))
    assert [(each.cache, each.result) for each in heard.of(CacheLookup)] == [("answer", "hit")]  # type: ignore[attr-defined]


def test_the_same_question_at_once_is_worked_out_once() -> None:
    """Single flight: eight callers, one piece of work; all get the same numbers."""
    model = Watched(loaded(GRU), lambda _: time.sleep(0.01))
    house = explainer(model)
    asked = question(model, GRU.sample(9), GRU.average())
    answers: list[Explanation] = []
    threads = [
        threading.Thread(target=lambda: answers.append(house.explain(asked, Deadline()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(not answer.cost.cached for answer in answers) == 1
    assert len({str([numbers(level) for level in levels(answer)]) for answer in answers}) == 1


def test_a_follower_waits_no_longer_than_its_own_deadline() -> None:
    """A second caller with little time is told so while the first goes on."""
    started, release = threading.Event(), threading.Event()

    def hold(batch: int) -> None:
        started.set()
        release.wait(PATIENCE)

    model = Watched(loaded(GRU), hold)
    house = explainer(model)
    asked = question(model, GRU.sample(9), GRU.average())
    leader = threading.Thread(target=lambda: house.explain(asked, Deadline()))
    leader.start()
    started.wait(PATIENCE)
    with pytest.raises(OutOfTime):
        house.explain(asked, Deadline(timeout=0.1))
    release.set()
    leader.join()


def test_a_refinement_cut_short_is_never_reused() -> None:
    """The clock stops the second game of the history: the first stands as it was, and only for its own alert."""
    asked = question(
        loaded(GRU),
        GRU.sample(9),
        GRU.average(),
        levels=EVENTS,
        pruning_tolerance=0.01,
        refine_history=True,
        target_standard_error=0.0,
    )
    whole = explainer(loaded(GRU)).explain(asked, Deadline())
    assert any(each.kind == "history" for each in levels(whole)[0].attributions)
    model, deadline = out_of_time_at(GRU, batch=3)
    house = explainer(model)
    first = house.explain(asked, deadline)
    assert first.cut_short
    assert levels(first)[0].quality.stop_reason is StopReason.EXACT
    assert "not refined further" in levels(first)[0].quality.detail
    second = house.explain(asked, Deadline())
    assert not second.cost.cached
    assert numbers(second.levels.get("event")) == numbers(whole.levels.get("event"))


def test_what_is_stored_stays_as_it_was_made() -> None:
    """Asked again, by its own alert and by another one, the stored answer keeps its cost and its time."""
    store = explainer(loaded(GRU))
    asked = replace(question(loaded(GRU), GRU.sample(9), GRU.average()), caller_id="alert-1")
    first = store.explain(asked, Deadline())
    for caller in ("alert-1", "alert-2", "alert-1"):
        again = store.explain(replace(asked, caller_id=caller), Deadline())
        assert again.cost.cached
    assert store._explanations.get(first.name).explanation == first


def test_below_the_minimum_nothing_more_is_answered_to_anyone() -> None:
    """An answer found for another alert shows no more than the first one did."""
    model = loaded(GRU)
    asked = question(model, GRU.sample(9), GRU.average(), minimum_score=2.0)
    store = explainer(model)
    first = store.explain(asked, Deadline())
    second = store.explain(replace(asked, caller_id="alert-2"), Deadline())
    assert first.event_values == second.event_values == ()


def test_an_answer_that_time_left_to_another_estimator_is_never_reused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control variate was asked for, and time was left for the base estimator only: the answer is for its alert."""
    asked = question(
        loaded(GRU),
        GRU.sample(30),
        GRU.average(),
        levels=EVENTS,
        pruning_tolerance=0.0,
        target_standard_error=0.0,
        max_coalitions=1024,
        estimator=Estimator.CONTROL_VARIATE,
    )
    house = explainer(loaded(GRU))
    with monkeypatch.context() as hurried:
        slow = replace(LOCAL_SOLVERS[Estimator.CONTROL_VARIATE], usual_share=1e9, quicker=None)
        hurried.setitem(LOCAL_SOLVERS, Estimator.CONTROL_VARIATE, slow)  # type: ignore[arg-type]
        first = house.explain(asked, Deadline(60))
    assert levels(first)[0].quality.estimator is Estimator.REGRESSION
    assert first.cut_short
    second = house.explain(asked, Deadline(60))
    assert not second.cost.cached
    assert levels(second)[0].quality.estimator is Estimator.CONTROL_VARIATE
    assert not second.cut_short
    assert house.explain(asked, Deadline(60)).cost.cached
