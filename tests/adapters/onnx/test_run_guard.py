"""Calls of models end when their time is up."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

import hostile
import numpy as np
import pytest
from sequela.adapters.onnx.session import Session, open_session
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit
from sequela.explain.limits import Limits

FEEDS = {"events": np.ones((1, 2, hostile.WIDTH), dtype=np.float32)}


def looping(trips: int, seconds: float = 60.0) -> Session:
    """A session that takes its time."""
    limits = Limits(max_model_call_seconds=seconds)
    return open_session(hostile.with_long_loop(trips), "score", None, 1, limits, "onnx")


def test_a_call_ends_at_the_callers_time() -> None:
    """DeadlinePassed, not before that time; by either way. The session goes on to serve."""
    session = looping(1 << 40)
    for run in (session.run, lambda feeds, until: session.fetch(["score"], feeds, until)):
        until = time.monotonic() + 0.05
        with pytest.raises(DeadlinePassed):
            run(FEEDS, until)
        assert time.monotonic() >= until
    assert looping(3).run(FEEDS, time.monotonic() + 60).shape[0] == 1


def test_no_call_begins_too_late() -> None:
    """A time that has passed is told before the model is asked."""
    with pytest.raises(DeadlinePassed):
        looping(1).run(FEEDS, time.monotonic() - 1)


@pytest.mark.parametrize("more", [30.0, math.inf])
def test_the_limit_of_one_call_is_not_the_callers_time(more: float) -> None:
    """A call that comes to the server's limit first fails for that, with the limit's name."""
    with pytest.raises(DoesNotFit, match=r"after 0\.05 s") as caught:
        looping(1 << 40, seconds=0.05).run(FEEDS, time.monotonic() + more)
    assert caught.value.reason == "MODEL_TOO_SLOW"


def test_each_of_many_calls_has_its_own_time() -> None:
    """Calls at once, the later ones ending earlier: each is stopped, none before its time; short ones in
    between are not.
    """
    endless, short = looping(1 << 40), looping(3)

    def ask(number: int) -> float:
        until = time.monotonic() + 0.3 - 0.03 * number
        assert np.isfinite(short.run(FEEDS, until + 60)).all()
        with pytest.raises(DeadlinePassed):
            endless.run(FEEDS, until)
        return time.monotonic() - until

    with ThreadPoolExecutor(8) as callers:
        assert all(late >= 0 for late in callers.map(ask, range(8)))
