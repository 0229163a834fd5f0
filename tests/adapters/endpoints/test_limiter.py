"""What all calls to an endpoint share: its switch, its breaker, its window, and what it tells of them."""

from __future__ import annotations

import gc
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.failures import RetryableError
from sequela.adapters.endpoints.limiter import MAX_FAILURES, Limiter
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import DoesNotFit, Forbidden, Overloaded, Unavailable
from sequela.explain.telemetry import CircuitState, EndpointCalled, EndpointWindow, Record
from waiting import PATIENCE, eventually

TERMS = EndpointTerms(max_calls=4, call_seconds=0.2)
REST = 0.02


class Heard:
    """What observers are told."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def notice(self, record: Record) -> None:
        self.records.append(record)

    def of(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]


class Host:
    """Something to probe."""

    def __init__(self) -> None:
        self.up, self.closed = False, False

    def ready(self) -> bool:
        return self.up

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def limiter(heard: Heard) -> Limiter:
    return Limiter("m/1", "grpc://h:1/m", TERMS, heard, REST)


def answer(until: float) -> Any:
    return np.zeros(1)


def raising(error: Exception) -> Callable[[float], Any]:
    def ask(until: float) -> Any:
        raise error

    return ask


def gone() -> RetryableError:
    return RetryableError(Unavailable("ENDPOINT_UNAVAILABLE", "gone", retry_after=1.0))


def fail(limiter: Limiter) -> None:
    with pytest.raises(RetryableError):
        limiter.call(1, math.inf, raising(gone()))


def is_open(limiter: Limiter) -> bool:
    try:
        limiter.check()
    except Unavailable as error:
        return (error.reason, error.retry_after) == ("ENDPOINT_UNAVAILABLE", REST)
    return False


def test_a_call_is_told_and_learned_from(limiter: Limiter, heard: Heard) -> None:
    """The end of its time is the request's, or that of one call."""
    ends, slept = [], 0.01

    def ask(until: float) -> Any:
        ends.append(until)
        time.sleep(slept)
        return np.ones(3)

    soon = Deadline.now() + 0.1
    assert limiter.call(3, soon, ask).tolist() == [1, 1, 1]
    before = Deadline.now()
    limiter.call(3, math.inf, ask)
    assert ends[0] == soon
    assert before <= ends[1] - TERMS.call_seconds <= Deadline.now()
    told = heard.of(EndpointCalled)
    assert [(each.endpoint, each.rows, each.outcome) for each in told] == [("m/1", 3, "ok")] * 2
    took = [each.seconds for each in told]
    # What is told includes the time until it is told, during which others may run.
    assert 0.99 * slept <= limiter.call_seconds(3) <= max(took)


def test_the_breaker_opens_after_failures_in_a_row(limiter: Limiter, heard: Heard) -> None:
    """One answer between them starts the count anew; it closes when the endpoint is there again."""
    host = Host()
    limiter.connections.add(host)
    for _ in range(MAX_FAILURES - 1):
        fail(limiter)
    limiter.call(1, math.inf, answer)
    for _ in range(MAX_FAILURES - 1):
        fail(limiter)
    assert not is_open(limiter)
    fail(limiter)
    assert is_open(limiter)
    assert [each.closed for each in heard.of(CircuitState)] == [True, False]
    host.up = True
    # It is told after the breaker has closed.
    eventually(lambda: [each.closed for each in heard.of(CircuitState)] == [True, False, True])
    assert not is_open(limiter)


def test_calls_that_fail_together_are_one_failure(limiter: Limiter, heard: Heard) -> None:
    """As many as are lost with their connection; the window is halved once."""
    window = limiter.concurrency
    together = threading.Barrier(3 * MAX_FAILURES)

    def lost(until: float) -> Any:
        together.wait()
        raise gone()

    def call() -> None:
        with pytest.raises(RetryableError):
            limiter.call(1, math.inf, lost)

    threads = [threading.Thread(target=call) for _ in range(3 * MAX_FAILURES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not is_open(limiter)
    assert limiter.concurrency == max(window // 2, 1)


@pytest.mark.parametrize(
    "error", [DoesNotFit("ENDPOINT_REFUSED", "no"), Overloaded("ENDPOINT_OVERLOADED", "full")]
)
def test_an_endpoint_that_says_no_is_there(limiter: Limiter, heard: Heard, error: Exception) -> None:
    """Its refusals open no breaker."""
    for _ in range(3 * MAX_FAILURES):
        with pytest.raises(type(error)):
            limiter.call(1, math.inf, raising(error))
    assert not is_open(limiter)
    assert {each.outcome for each in heard.of(EndpointCalled)} == {error.reason}  # type: ignore[attr-defined]


def test_the_limit_of_one_call(limiter: Limiter, heard: Heard) -> None:
    """Where it ends a call, the endpoint is at fault; where the request's deadline does, it may not be."""

    def slow(until: float) -> Any:
        time.sleep(max(until - Deadline.now(), 0))
        raise DeadlinePassed

    with pytest.raises(Unavailable) as caught:
        limiter.call(1, math.inf, slow)
    assert caught.value.reason == "ENDPOINT_UNAVAILABLE"
    assert "0.2 s" in caught.value.message
    with pytest.raises(DeadlinePassed):
        limiter.call(1, Deadline.now() + 0.01, slow)
    assert [each.outcome for each in heard.of(EndpointCalled)] == ["DEADLINE_PASSED"] * 2


def test_short_deadlines_open_no_breaker(limiter: Limiter) -> None:
    """Whoever asks with too little time, however often, tells nothing of the endpoint."""
    for _ in range(4 * MAX_FAILURES):
        with pytest.raises(DeadlinePassed):
            limiter.call(1, Deadline.now(), raising(DeadlinePassed()))
    assert not is_open(limiter)


def test_deadlines_far_above_what_calls_take_do(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that hangs is noticed also where no request gives it a whole call's time."""
    limiter = Limiter("m/1", "grpc://h:1/m", replace(TERMS, call_seconds=60), heard, REST)
    for _ in range(50):
        limiter.call(1, math.inf, answer)
    waited = 0.0
    monkeypatch.setattr(Deadline, "now", staticmethod(lambda: time.monotonic() + waited))

    def hang(until: float) -> Any:
        nonlocal waited
        waited += 30.0
        raise DeadlinePassed

    for _ in range(MAX_FAILURES):
        assert not is_open(limiter)
        with pytest.raises(DeadlinePassed):
            limiter.call(1, Deadline.now() + 30.0, hang)
    assert is_open(limiter)
    limiter.close()


def test_the_switch(limiter: Limiter) -> None:
    """Holds for those who ask, and for those who waited for their rows meanwhile."""
    waiting = limiter.admit(1, Deadline(), math.inf)
    with waiting:
        assert limiter.amend(replace(TERMS, enabled=False))
    with pytest.raises(Forbidden) as caught, limiter.admit(1, Deadline(), math.inf):
        pass
    assert caught.value.reason == "ENDPOINT_OFF"
    assert "grpc://h:1/m" in caught.value.message
    assert limiter.amend(TERMS)
    with limiter.admit(1, Deadline(), math.inf):
        pass


def test_other_terms(limiter: Limiter, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold at once, but for more calls at a time than there are workers: then nothing changes."""
    now = time.monotonic()
    monkeypatch.setattr(Deadline, "now", staticmethod(lambda: now))

    def ask(until: float) -> Any:
        nonlocal now
        now += 0.001
        return np.zeros(1)

    while limiter.concurrency < 4:
        limiter.call(1, math.inf, ask)
    assert limiter.amend(replace(TERMS, max_calls=1))
    assert limiter.concurrency == 1
    assert heard.of(EndpointWindow)[-1].calls == 1
    assert not limiter.amend(replace(TERMS, max_calls=5))
    assert limiter.terms.max_calls == 1


def test_no_more_jobs_at_a_time_than_the_window_allows(limiter: Limiter) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    limiter.run([job] * 20, Deadline(), math.inf)
    assert 1 <= most <= limiter.concurrency


def test_who_waits_for_a_turn_notices_the_deadline(limiter: Limiter) -> None:
    """While other requests' calls hold all of them."""
    gate, begun = threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        begun.release()
        gate.wait(PATIENCE)

    holding = threading.Thread(target=lambda: limiter.run([hold] * 8, Deadline(), math.inf), daemon=True)
    holding.start()
    for _ in range(limiter.concurrency):
        assert begun.acquire(timeout=PATIENCE)
    with pytest.raises(DeadlinePassed):
        limiter.run([lambda: None] * 2, Deadline(0.1), math.inf)
    gate.set()
    holding.join()


def test_nothing_stays_of_a_limiter_that_nobody_uses(heard: Heard) -> None:
    """Its threads end by themselves, also while its breaker is open."""
    before = set(threading.enumerate())
    limiter = Limiter("m/1", "grpc://h:1/m", TERMS, heard, REST)
    limiter.run([lambda: time.sleep(0.001)] * 8, Deadline(), math.inf)
    for _ in range(MAX_FAILURES):
        fail(limiter)
    assert set(threading.enumerate()) - before
    del limiter
    gc.collect()
    eventually(lambda: not {each for each in set(threading.enumerate()) - before if each.is_alive()})


def test_closing(limiter: Limiter) -> None:
    """Ends connections too."""
    host = Host()
    limiter.connections.add(host)
    limiter.close()
    assert host.closed
    with pytest.raises(Unavailable):
        limiter.run([lambda: None] * 2, Deadline(), math.inf)


class Waiting(Deadline):
    """Tells when somebody waits for a place, who looks at the time then."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = threading.Event()

    def check(self, until: float = math.inf) -> None:
        self.looked.set()
        super().check(until)


def switch_off(limiter: Limiter) -> None:
    assert limiter.amend(replace(TERMS, enabled=False))


def lose(limiter: Limiter) -> None:
    for _ in range(MAX_FAILURES):
        fail(limiter)


@pytest.mark.parametrize(
    ("change", "error"), [(switch_off, Forbidden), (lose, Unavailable)], ids=["switched off", "down"]
)
def test_rows_that_waited(
    limiter: Limiter, change: Callable[[Limiter], None], error: type[Exception]
) -> None:
    """None leaves for an endpoint that was switched off, or went down, while they waited for their place."""
    deadline, left = Waiting(), threading.Event()

    def send() -> None:
        with limiter.admit(1, deadline, math.inf):
            left.set()

    with ThreadPoolExecutor(1) as pool:
        with limiter.admit(TERMS.max_rows_in_flight, Deadline(), math.inf):
            waiting = pool.submit(send)
            assert deadline.looked.wait(PATIENCE)
            change(limiter)
        with pytest.raises(error):
            waiting.result(PATIENCE)
    assert not left.is_set()
