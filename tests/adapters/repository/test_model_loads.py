"""A load serves all requests that wait for it, and ends with the last of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sequela.adapters.repository.model_loads import ModelLoads
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import Cancelled, DoesNotFit
from waiting import eventually

MODEL: Any = object()


class Loading:
    """A load that goes on until a test ends it, or its deadline is cancelled."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.begun, self.go, self.stopped = threading.Event(), threading.Event(), threading.Event()
        self._error = error

    def __call__(self, deadline: Deadline) -> Any:
        self.calls += 1
        self.begun.set()
        while not self.go.is_set():
            if deadline.cancelled:
                self.stopped.set()
                deadline.check()
            deadline.pause(0.005)
        if self._error:
            raise self._error
        return MODEL


def test_a_load_goes_on_for_the_latest_deadline() -> None:
    """The request that began it leaves at its own deadline; the other one gets the model."""
    loads, load, early = ModelLoads(), Loading(), Deadline(60)
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(loads.get, "d", load, early)
        assert load.begun.wait(30)
        second = callers.submit(loads.get, "d", load, Deadline(60))
        eventually(lambda: loads._loads["d"].waiting == 2)
        early.hurry(Deadline.now())
        with pytest.raises(DeadlinePassed):
            first.result(30)
        assert not load.stopped.is_set()
        load.go.set()
        assert second.result(30) is MODEL
    assert load.calls == 1


def test_a_load_ends_when_nobody_waits() -> None:
    """One passes its deadline and one is cancelled; who comes later begins anew."""
    loads, load = ModelLoads(), Loading()
    early, cancelled = Deadline(60), Deadline(60)
    with ThreadPoolExecutor(2) as callers:
        gone = [callers.submit(loads.get, "d", load, each) for each in (early, cancelled)]
        eventually(lambda: load.calls == 1 and loads._loads["d"].waiting == 2)
        early.hurry(Deadline.now())
        with pytest.raises(DeadlinePassed):
            gone[0].result(30)
        assert not load.stopped.is_set()
        cancelled.cancel()
        with pytest.raises(Cancelled):
            gone[1].result(30)
    assert load.stopped.wait(30)
    load.go.set()
    assert loads.get("d", load, Deadline(30)) is MODEL
    assert load.calls == 2


def test_an_error_is_told_to_the_request_that_began() -> None:
    """Others load the model themselves, since the error may name a field of a request of another kind."""
    loads = ModelLoads()
    failing, working = Loading(DoesNotFit("MODEL_FAILED", "not today")), Loading()
    working.go.set()
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(loads.get, "d", failing, Deadline(30))
        assert failing.begun.wait(30)
        second = callers.submit(loads.get, "d", working, Deadline(30))
        eventually(lambda: loads._loads["d"].waiting == 2)
        failing.go.set()
        with pytest.raises(DoesNotFit, match="not today"):
            first.result(30)
        assert second.result(30) is MODEL


def test_a_load_that_does_not_stop_is_not_begun_twice() -> None:
    """Such as one in the server's own process: who comes later waits for it, too."""
    loads, go, calls = ModelLoads(), threading.Event(), []

    def load(_: Deadline) -> Any:
        calls.append(1)
        assert go.wait(30)
        return MODEL

    with ThreadPoolExecutor(1) as callers:
        with pytest.raises(DeadlinePassed):
            loads.get("d", load, Deadline(0.05))
        later = callers.submit(loads.get, "d", load, Deadline(30))
        with pytest.raises(DeadlinePassed):
            loads.get("d", load, Deadline(0.05))
        go.set()
        assert later.result(30) is MODEL
    assert len(calls) == 1
