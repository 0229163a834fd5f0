"""Time runs out, or the caller leaves, at every point of an explanation from states; and many are asked at once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from asking import Stepped, assert_alike, explainer, levels, loaded, numbers, one_worker, question
from matrix import BY_NAME
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.concurrency.worker_pool import WorkerPool
from sequela.errors import Cancelled, OutOfTime
from sequela.explain.estimate import sample
from sequela.explain.evaluate import model_caller
from sequela.explain.evaluate.model_caller import MIN_MEASURED_ROWS, ModelCaller
from sequela.explain.evaluate.prefix_states import execution
from sequela.explain.explanation import Explanation, StopReason
from sequela.explain.ports import Observers
from sequela.explain.request import ExplainRequest
from sequela.explain.telemetry import StageDone

CASE = BY_NAME["stacked_gru"]
LENGTH = 60


@pytest.fixture(autouse=True)
def trees_of_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared steps and branches of several batches, and stages drawn in another thread, however small the model is."""
    for name, value in {
        "MAX_UNSHARED_WORK": 0,
        "MAX_SHARED_CLASSES": 64,
        "TARGET_BRANCHES": 3,
        "MIN_BRANCH_CLASSES": 16,
        "MAX_SINGLE_THREAD_WORK": 0,
    }.items():
        monkeypatch.setattr(execution, name, value)
    monkeypatch.setattr(model_caller, "MAX_BATCH_ROWS", 128)
    monkeypatch.setattr(model_caller, "MAX_SINGLE_THREAD_WORK", 0)
    monkeypatch.setattr(sample, "MIN_DRAWN_BESIDE", 0)


def asked(seed: int = 0, **options: Any) -> ExplainRequest:
    """A scan of seven windows, then three games, whose stages are as many as the error asks for."""
    settings = {"pruning_tolerance": 1e-6, "max_coalitions": 256, "target_standard_error": 1e-9}
    return question(
        loaded(CASE), CASE.sample(LENGTH, seed), CASE.average(), refine_history=True, **(settings | options)
    )


@dataclass
class Place:
    """Where a call of the model was made: after which stage, what was run, of how many rows."""

    after: str
    run: str
    rows: int


@dataclass
class Told:
    """Calls of the model in their order; `stage` is the last that ended."""

    stage: str = ""
    calls: list[Place] = field(default_factory=list)

    def notice(self, record: Any) -> None:
        if isinstance(record, StageDone):
            self.stage = record.stage

    def call(self, run: str, rows: int) -> None:
        self.calls.append(Place(self.stage, run, rows))


class Looked(Deadline):
    """Does something when it is looked at for the so manieth time."""

    def __init__(self, number: int, then: Callable[[Deadline], None]) -> None:
        super().__init__()
        self.looks, self._number, self._then = 0, number, then

    def check(self, until: float = math.inf) -> None:
        self.looks += 1
        if self.looks == self._number:
            self._then(self)
        super().check(until)


def run_out(deadline: Deadline) -> None:
    deadline.end = deadline.now()


def stopped(deadline: Deadline) -> None:
    """As a model that is stopped within a batch."""
    run_out(deadline)
    raise DeadlinePassed


def chosen(calls: list[Place]) -> list[int]:
    """The first and the last call of every kind, and every 31st of all; counted from 1."""
    kinds = [(place.after, place.run, place.rows > 1) for place in calls]
    ends = {kinds.index(kind) for kind in kinds} | {
        len(kinds) - 1 - kinds[::-1].index(kind) for kind in kinds
    }
    return sorted({number + 1 for number in ends | set(range(0, len(calls), 31))})


def undisturbed() -> tuple[Explanation, list[Place], int]:
    """The answer, all calls of the model, and how often the clock was looked at."""
    told, deadline = Told(), Looked(0, run_out)
    model: Any = Stepped(loaded(CASE), told.call)
    answer = explainer(model, observer=told).explain(asked(), deadline)
    return answer, told.calls, deadline.looks


def disturbed(number: int, then: Callable[[Deadline], None], pool: WorkerPool | None = None) -> Explanation:
    """The answer where something happens as the model is called for the so manieth time."""
    deadline, told = Deadline(), Told()

    def before(run: str, rows: int) -> None:
        told.call(run, rows)
        if len(told.calls) == number:
            then(deadline)

    model: Any = Stepped(loaded(CASE), before)
    return explainer(model, pool=pool).explain(asked(), deadline)


def assert_honest(answer: Explanation, whole: Explanation) -> bool:
    """Everything an answer may be when time ran out somewhere; whether it was cut short.

    It holds whole levels, additive to float noise, and names what is missing; where it does not say that it was cut
    short it is the answer that all the time in the world gives.
    """
    assert answer.explained
    assert answer.targets == whole.targets
    assert answer.pruning is not None
    for level in levels(answer):
        quality = level.quality
        if quality.stop_reason is StopReason.NOT_COMPUTED:
            assert not level.attributions
            assert "time" in quality.detail
        else:
            assert level.attributions
            assert quality.additivity_residual < 1e-9
    reasons = [level.quality.stop_reason for level in levels(answer)]
    assert len(reasons) == 3
    missing = {StopReason.NOT_COMPUTED, StopReason.DEADLINE} & set(reasons)
    # Not refined further, or solved by the regression.
    coarser = any(level.quality.detail for level in levels(answer))
    if answer.cut_short:
        assert missing or coarser or not answer.pruning.scan_complete
    else:
        assert not missing
        assert [numbers(level) for level in levels(answer)] == [numbers(level) for level in levels(whole)]
    return answer.cut_short


def test_the_sweeps_below_reach_every_place() -> None:
    """Prefixes and trees in the scan; shared steps, branches and prefixes in the games; checks between draws."""
    answer, calls, looks = undisturbed()
    assert answer.pruning is not None
    assert 0 < answer.pruning.pruned_events < LENGTH
    places = {(place.after, place.run, place.rows > 1) for place in calls}
    for after in ("resolve", "score", "prune", "event", "feature"):
        assert (after, "finish", True) in places
    assert ("score", "advance", False) in places  # the scan's prefixes
    assert ("prune", "advance", False) in places  # the pruned block's two states
    assert ("prune", "advance", True) in places  # shared steps and branches
    assert looks > len(calls)
    assert {level.quality.stop_reason for level in levels(answer)} & {StopReason.BUDGET}


@pytest.mark.slow
@pytest.mark.parametrize("then", [run_out, stopped])
def test_whichever_call_uses_up_the_time_there_is_an_answer(then: Callable[[Deadline], None]) -> None:
    """The model is late, or is stopped: from the first call after the score on there is an honest answer."""
    whole, calls, _ = undisturbed()
    scored = sum(place.after == "resolve" for place in calls)
    assert scored
    for number in chosen(calls):
        if number < scored:
            with pytest.raises(OutOfTime):
                disturbed(number, then)
        elif number > scored:
            cut_short = assert_honest(disturbed(number, then), whole)
            assert cut_short or number == len(calls)


@pytest.mark.parametrize("stride", [97, pytest.param(29, marks=pytest.mark.slow)])
def test_wherever_the_deadline_is_noticed_there_is_an_answer(stride: int) -> None:
    """Also while a stage is drawn, in another thread or not."""
    whole, calls, looks = undisturbed()
    scored = sum(place.after == "resolve" for place in calls)
    for number in (*range(1, scored + 8), *range(scored + 8, looks + 1, stride)):
        told = Told()
        model: Any = Stepped(loaded(CASE), told.call)
        house = explainer(model, observer=told)
        if number <= scored:
            with pytest.raises(OutOfTime):
                house.explain(asked(), Looked(number, run_out))
        else:
            assert assert_honest(house.explain(asked(), Looked(number, run_out)), whole)


@pytest.mark.slow
def test_wherever_the_caller_leaves_the_work_stops() -> None:
    """Cancelled, whether it is the model or the drawing that is under way; the model is called no more."""
    _, calls, looks = undisturbed()
    for number in (*range(1, 20), *range(20, looks + 1, 29)):
        told, deadline = Told(), Looked(number, Deadline.cancel)
        model: Any = Stepped(loaded(CASE), told.call)
        with pytest.raises(Cancelled):
            explainer(model).explain(asked(), deadline)
        assert len(told.calls) < number
    for number in chosen(calls[:-1]):
        with pytest.raises(Cancelled):
            disturbed(number, Deadline.cancel)


@pytest.mark.parametrize("stride", [61, pytest.param(29, marks=pytest.mark.slow)])
def test_several_workers_run_out_of_time_together(stride: int) -> None:
    """Branches, and a stage drawn beside them, in threads of their own."""
    whole, calls, _ = undisturbed()
    scored = sum(place.after == "resolve" for place in calls)
    pool = WorkerPool(3)
    try:
        for number in range(scored + 1, len(calls) - 9, stride):
            assert assert_honest(disturbed(number, stopped, pool), whole)
            with pytest.raises(Cancelled):
                disturbed(number, Deadline.cancel, pool)
        assert pool.busy == pool.waiting == 0
    finally:
        pool.close()


class Crowd:
    """Counts how many calls of the model are under way at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = self.calls = 0

    def enter(self) -> None:
        with self._lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.0002)

    def leave(self) -> None:
        with self._lock:
            self.now -= 1


@pytest.mark.parametrize(
    ("workers", "callers"),
    [(2, 3), *(pytest.param(workers, 6, marks=pytest.mark.slow) for workers in (1, 2))],
)
def test_no_more_calls_at_a_time_than_workers(workers: int, callers: int) -> None:
    """Several callers at once, each with prefixes, scans and trees of its own: the model never sees more than the pool
    has places for, and everybody gets the answer that they would get alone.
    """
    crowd = Crowd()
    pool = WorkerPool(workers)
    model: Any = Stepped(loaded(CASE), lambda *_: crowd.enter(), crowd.leave)
    house = explainer(model, pool=pool)
    try:
        with ThreadPoolExecutor(callers) as threads:
            answers = list(threads.map(lambda seed: house.explain(asked(seed), Deadline()), range(callers)))
    finally:
        pool.close()
    assert crowd.most == workers
    assert crowd.calls > 200
    assert crowd.now == 0
    for seed in (0, callers - 1):
        alone = explainer(loaded(CASE)).explain(asked(seed), Deadline())
        assert_alike(answers[seed], alone, 0.0)


def caller(deadline: Deadline) -> ModelCaller:
    return ModelCaller(deadline, one_worker(), Observers(()))


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stops the clock of deadlines, which goes on by as many seconds as this function is told."""
    clock = [0.0]
    monkeypatch.setattr(Deadline, "now", staticmethod(lambda: clock[0]))

    def wait_for(seconds: float) -> None:
        clock[0] += seconds

    return wait_for


@pytest.mark.parametrize("seconds", [(0.05,), (0.05, 0.001), (0.001, 0.05), (0.05, 0.001, 0.05)])
def test_one_slow_batch_does_not_refuse_the_next(
    seconds: tuple[float, ...], wait: Callable[[float], None]
) -> None:
    """Alone, first, last or between: a batch that would end in time, were it as fast as the fastest so far, begins."""
    deadline = Deadline()
    request = caller(deadline)
    for each in seconds:
        request.run(64, 10, math.inf, lambda _, each=each: wait(each))
    deadline.end = deadline.now() + 2.0
    # As slow as the slowest batch it would take five seconds.
    assert request.run(640, 100, math.inf, lambda _: "asked") == "asked"


def test_batches_of_few_rows_tell_nothing(wait: Callable[[float], None]) -> None:
    """Pasts, run slowly one row at a time, do not keep a large batch from beginning."""
    deadline = Deadline()
    request = caller(deadline)
    for _ in range(3):
        request.run(1, 1, math.inf, lambda _: wait(0.02))
    deadline.end = deadline.now() + 2.0
    assert request.run(1000, 100, math.inf, lambda _: "asked") == "asked"


@pytest.mark.parametrize("length", [24, 60, pytest.param(120, marks=pytest.mark.slow)])
def test_a_slow_beginning_changes_no_answer(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first large batch takes a minute by the clock; six are left, and the answer is that of a request in no
    hurry.
    """
    monkeypatch.undo()
    held_up: list[float] = []
    monkeypatch.setattr(Deadline, "now", staticmethod(lambda: time.monotonic() + sum(held_up)))

    def before(_: str, rows: int) -> None:
        if rows >= MIN_MEASURED_ROWS and not held_up:
            held_up.append(60.0)

    sent = question(
        loaded(CASE), CASE.sample(length), CASE.average(), pruning_tolerance=0.0, max_coalitions=2048
    )
    model: Any = Stepped(loaded(CASE), before)
    answer = explainer(model).explain(sent, Deadline(420.0))
    assert held_up == [60.0]
    assert_alike(answer, explainer(loaded(CASE)).explain(sent, Deadline()), 0.0)
