"""Which calls are sent again, after which waits, and how many in all: through a server, and by the rule itself."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import grpc
import numpy as np
import pytest
from client.scripted import Script
from sequela_client import AsyncSequela, CallerError, OperatorError, Retries, Sequela, TryAgain, Unavailable
from sequela_client.retries import RetryBudget
from waiting import PATIENCE

SEQUENCE = np.ones((3, 2))
BUSY = (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", "")
GONE = (grpc.StatusCode.UNAVAILABLE, "DRAINING", "draining", "")
QUICK = Retries(first_wait_seconds=0.001)


@pytest.mark.parametrize("failure", [(*BUSY, 0.05), (*GONE, 0.05), GONE], ids=["busy", "draining", "gone"])
def test_a_call_is_sent_again(address: str, script: Script, failure: tuple[object, ...]) -> None:
    """Unseen by the caller: if the server says when to try again, or is shutting down."""
    script.failures = [failure]
    with Sequela(address, retries=QUICK) as client:
        assert client.explain(SEQUENCE, model="m").score == 0.9
    assert script.names == ["Explain", "Explain"]


def test_asyncio_does_the_same(address: str, script: Script) -> None:
    script.failures = [(*BUSY, 0.05)]

    async def explain() -> float:
        async with AsyncSequela(address, retries=QUICK) as client:
            return (await client.explain(SEQUENCE, model="m")).score

    assert asyncio.run(explain()) == 0.9
    assert script.names == ["Explain", "Explain"]


def test_the_wait_is_at_least_what_the_server_asks_for(address: str, script: Script) -> None:
    script.failures = [(*BUSY, 0.3)]
    started = time.monotonic()
    with Sequela(address, retries=QUICK) as client:
        client.explain(SEQUENCE, model="m")
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (BUSY, TryAgain),
        ((grpc.StatusCode.INTERNAL, "INTERNAL", "broken", "", 0.01), OperatorError),
        ((grpc.StatusCode.INVALID_ARGUMENT, "TENSOR_SHAPE", "wrong", "sequence", 0.01), CallerError),
    ],
    ids=["no time given", "broken", "wrong"],
)
def test_others_are_raised_at_once(
    address: str, script: Script, failure: tuple[object, ...], kind: type[Exception]
) -> None:
    """Where another attempt would not help, or nobody says that it may."""
    script.failures = [failure]
    with Sequela(address, retries=QUICK) as client, pytest.raises(kind):
        client.explain(SEQUENCE, model="m")
    assert script.names == ["Explain"]


def test_attempts_end(address: str, script: Script) -> None:
    """After four by default; the error says when to try again."""
    script.failures = [(*GONE, 0.01)] * 9
    with Sequela(address, retries=QUICK) as client, pytest.raises(Unavailable, match="draining") as failed:
        client.explain(SEQUENCE, model="m")
    assert failed.value.retry_after == 0.01
    assert script.names == ["Explain"] * 4


def test_a_wait_beyond_the_timeout_is_not_waited_for(address: str, script: Script) -> None:
    """The caller has the rest of its time for something else."""
    script.failures = [(*BUSY, PATIENCE + 1)]
    started = time.monotonic()
    patient = Retries(longest_wait_seconds=2 * PATIENCE)
    with Sequela(address, timeout=PATIENCE, retries=patient) as client, pytest.raises(TryAgain) as failed:
        client.explain(SEQUENCE, model="m")
    assert failed.value.retry_after == PATIENCE + 1
    assert time.monotonic() - started < PATIENCE


def test_the_budget_is_that_of_the_client(address: str, script: Script) -> None:
    """Two calls share it: the second is not sent again once the first has used it up."""
    script.failures = [(*GONE, 0.001)] * 9
    with Sequela(address, retries=replace(QUICK, budget=4)) as client:
        for _ in range(2):
            with pytest.raises(Unavailable):
                client.explain(SEQUENCE, model="m")
    assert len(script.names) == 4 + 2


def test_waits_double_and_differ() -> None:
    """Between the doubled first wait and a fifth more, if the server asks for a wait."""
    budget, error = RetryBudget(Retries(attempts=6, first_wait_seconds=0.1, budget=10_000)), TryAgain("busy")
    error.retry_after = 0.0
    for failures in range(1, 6):
        waits = [budget.wait_seconds(error, failures, None) for _ in range(200)]
        least = 0.1 * 2 ** (failures - 1)
        assert all(wait is not None and least <= wait <= 1.2 * least for wait in waits)
        assert len(set(waits)) > 100
    assert budget.wait_seconds(error, 6, None) is None


def test_clients_of_a_server_that_is_gone_do_not_come_back_together() -> None:
    """It asks for no wait, so they spread from none to twice the doubled wait, which is the mean."""
    budget = RetryBudget(Retries(attempts=6, first_wait_seconds=0.1, budget=10_000))
    for failures in range(1, 6):
        waits = [budget.wait_seconds(Unavailable("gone"), failures, None) or 0.0 for _ in range(1_000)]
        backoff = 0.1 * 2 ** (failures - 1)
        assert all(0 < wait < 2 * backoff for wait in waits)
        assert min(waits) < 0.1 * backoff
        assert max(waits) > 1.9 * backoff
        assert sum(waits) / len(waits) == pytest.approx(backoff, rel=0.1)


def test_the_longest_wait() -> None:
    """A server that asks for more is not waited for, whatever the timeout."""
    budget = RetryBudget(Retries(longest_wait_seconds=10))
    assert budget.wait_seconds(TryAgain("busy", retry_after=10.0), 1, None) is not None
    assert budget.wait_seconds(TryAgain("busy", retry_after=10.1), 1, None) is None


def test_a_tenth_of_what_succeeds_may_be_sent_again() -> None:
    """A client whose server fails for good sends 100 calls again, and then one for each ten successes."""
    budget, failure = RetryBudget(Retries()), TryAgain("busy", retry_after=0.0)
    allowed = [budget.wait_seconds(failure, 1, None) is not None for _ in range(150)]
    assert allowed == [True] * 100 + [False] * 50
    more = 0
    for _ in range(1005):
        budget.succeeded()
        more += budget.wait_seconds(failure, 1, None) is not None
    assert more == 100


@pytest.mark.parametrize("name", ["attempts", "first_wait_seconds", "longest_wait_seconds", "budget"])
def test_values_that_make_no_sense(name: str) -> None:
    with pytest.raises(CallerError, match=f"retries.{name}: must be at least"):
        Retries(**{name: -1})
