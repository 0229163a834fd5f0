"""The client's retries against a real server: one with more to do than it has room for, and one that is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from documents import ROOT
from free_ports import free_ports
from sequela_client import Explanation, Retries, Sequela, SequelaError, TryAgain
from sequela_client.files import read_sequence
from serving import Serving, embedded
from waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEMO = ROOT / "service" / "sequela" / "demo"
ALERT = read_sequence(DEMO / "alerts" / "takeover-286.json")
CALLERS = 16


def ask_at_once(client: Sequela) -> list[Explanation | SequelaError]:
    """Explains one alert from many threads at the same moment, each with a seed of its own."""
    barrier = threading.Barrier(CALLERS)

    def ask(seed: int) -> Explanation | SequelaError:
        barrier.wait()
        try:
            return client.explain(ALERT, model="account_takeover", seed=seed, dry_run=True)
        except SequelaError as error:
            return error

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(ask, range(CALLERS)))


def refused(answers: list[Explanation | SequelaError]) -> list[SequelaError]:
    return [each for each in answers if isinstance(each, SequelaError)]


def test_a_full_queue_is_waited_for() -> None:
    """Without retries the server refuses some calls, and says when to come back. With them, every call is answered."""
    settings = embedded(model_repository=DEMO / "models", workers=1, max_concurrent=1, queue_size=2)
    with Serving(settings) as serving:
        with Sequela(serving.bound.grpc, retries=Retries(attempts=1)) as impatient:
            errors = refused(ask_at_once(impatient))
        with Sequela(serving.bound.grpc, timeout=250, retries=Retries(attempts=30)) as patient:
            assert refused(ask_at_once(patient)) == []
    assert errors
    assert {type(each) for each in errors} == {TryAgain}
    assert {each.reason for each in errors} == {"QUEUE_FULL"}
    assert all(each.retry_after for each in errors)


def test_a_server_that_is_replaced_costs_no_call() -> None:
    """Its successor listens on the same port; calls from before, between and after are answered."""
    answers: list[bool] = []

    def ask(client: Sequela, more: Callable[[], bool]) -> None:
        while more():
            answers.append(client.score(ALERT, model="account_takeover").values.size == 1)

    replaced = threading.Event()
    # Nobody else is given this port in between.
    first = Serving(embedded(model_repository=DEMO / "models", port=free_ports(1)[0]))
    with first:
        port = int(first.bound.grpc.rsplit(":", 1)[1])
        patience = Retries(attempts=20, first_wait_seconds=0.05)
        with Sequela(first.bound.grpc, retries=patience) as client, ThreadPoolExecutor(1) as pool:
            work = pool.submit(ask, client, lambda: not replaced.is_set())
            first.drain()
            with Serving(embedded(model_repository=DEMO / "models", port=port)):
                before = len(answers)
                eventually(lambda: len(answers) >= before + 5 or work.done())
                replaced.set()
                work.result(60)
    assert len(answers) >= 5
    assert all(answers)
