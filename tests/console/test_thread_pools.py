"""Pages of cohorts that take long do not keep pages of alerts waiting."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from console.cohort_files import write_cohort
from console.running_console import running_console
from sequela_console.app import COHORT_THREADS, COHORT_WAITING
from sequela_console.cohort_files import catalogue
from sequela_console.cohort_files.catalogue import CohortCatalogue
from serving import Serving
from waiting import PATIENCE, eventually


def test_slow_cohorts_leave_threads_to_alerts(
    server: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the threads and the queue of cohorts are full, alerts are answered, and further cohorts are refused."""
    folder = write_cohort(tmp_path / "payments", 5)
    done, at_work = threading.Event(), list[str]()
    cohort = CohortCatalogue.cohort

    def slow(self: CohortCatalogue, name: str) -> Any:
        at_work.append(name)
        assert done.wait(PATIENCE)
        return cohort(self, name)

    monkeypatch.setattr(CohortCatalogue, "cohort", slow)
    more = 5
    number = COHORT_THREADS + COHORT_WAITING + more
    with (
        running_console(server.bound.grpc, tmp_path, cohorts={"payments": folder}) as console,
        httpx.Client(base_url=console.url, timeout=2 * PATIENCE) as client,
        ThreadPoolExecutor(number) as threads,
    ):
        try:
            answers = [threads.submit(client.get, "/api/cohorts/payments") for _ in range(number)]
            eventually(lambda: sum(each.done() for each in answers) == more)
            assert client.get("/api/alerts").status_code == 200
            # Refusals may come before the threads have begun.
            eventually(lambda: len(at_work) == COHORT_THREADS)
        finally:
            done.set()
        assert Counter(each.result().status_code for each in answers) == {200: number - more, 503: more}
        refused = next(each.result() for each in answers if each.result().status_code == 503)
        assert refused.json()["error"]["reason"] == "BUSY"


def test_a_cohort_that_is_being_opened_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two visitors of one cohort open it once, and a visitor of another one does not wait for them."""
    folders = {name: write_cohort(tmp_path / name, 5) for name in ("first", "second")}
    cohorts, done, started = CohortCatalogue(folders), threading.Event(), threading.Event()
    opened: list[str] = []
    original = catalogue._opened

    def slow(name: str, *rest: Any) -> Any:
        opened.append(name)
        if name == "first":
            started.set()
            assert done.wait(PATIENCE)
        return original(name, *rest)

    monkeypatch.setattr(catalogue, "_opened", slow)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(cohorts.cohort, "first") for _ in range(2)]
        try:
            assert started.wait(PATIENCE)
            assert threads.submit(cohorts.cohort, "second").result(PATIENCE / 2).name == "second"
        finally:
            done.set()
        assert waiting[0].result() is waiting[1].result()
    assert sorted(opened) == ["first", "second"]
