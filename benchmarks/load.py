"""Measures the server under load: alerts arrive at random, whether or not earlier ones were answered (open loop).

First, saturation is measured: two requests for each core are kept running (closed loop). The open loop then runs at
shares of saturation. The load generator is a process on the same cores, so the server does not get all of their time.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.arrivals import poisson
from benchmarks.beside import say
from benchmarks.cases import DEMO
from benchmarks.effort import Effort
from benchmarks.growth import percentile
from benchmarks.halts import watched
from benchmarks.ours import Ours, serving
from benchmarks.processes import resident_mb
from benchmarks.report import Chart, Finding, ms, table

ALERT = DEMO / "alerts" / "takeover-47.json"
SHARES = (0.25, 0.50, 0.80, 0.95)
FEWEST = 50  # smallest expected number of requests at each share, even if the server is slow
EVERY = 0.5  # seconds between measurements of memory
NUMBERS_APART = 1_000_000
TRIES = 3  # how often a load is measured at most, if the machine stands still meanwhile


@dataclass(frozen=True, slots=True)
class Row:
    """The results of one load.

    Args:
        share: the load as a share of saturation; NaN for saturation itself.
        rate: how many requests a second were sent.
        sent: how many requests were sent.
        failures: how many requests failed, by reason.
        answered: how many requests a second were answered.
        p50: the median latency, in seconds from the time of arrival.
        p99: the 99th percentile of the latency.
        p999: the 99.9th percentile of the latency.
        memory: the memory of the server over time, as (seconds, MB).
        stood_still: the longest time that the whole machine stood still, in seconds.
    """

    share: float
    rate: float
    sent: int
    failures: dict[str, int]
    answered: float
    p50: float
    p99: float
    p999: float
    memory: tuple[tuple[float, float], ...]
    stood_still: float


def study(effort: Effort, folder: Path) -> Finding:
    """Measures saturation, and then each share of it."""
    with serving() as server:
        say("load: saturation")
        cores = len(os.sched_getaffinity(0))
        _generate(server, 0, "--closed", "1", "1")  # warms the server up
        most = _row(server, 1, float("nan"), "--closed", str(2 * cores), str(effort.seconds))
        rows = [most]
        for number, share in enumerate(SHARES, start=2):
            say(f"load: {share:.0%} of {most.answered:.1f} a second")
            rate = share * most.answered
            arrivals = folder / "arrivals.npy"
            np.save(arrivals, poisson(rate, max(effort.seconds, FEWEST / rate), seed=number))
            rows.append(_row(server, number, share, "--arrivals", str(arrivals)))
    return Finding("load", rows, [_table(rows, cores)], _charts(rows[1:]))


def _row(server: Ours, number: int, share: float, *how: str) -> Row:
    """Measures one load, and repeats it if the machine stood still meanwhile."""
    for attempt in range(TRIES):
        with _memory(server.pid) as memory, watched() as watch:
            result = _generate(server, (number * TRIES + attempt) * NUMBERS_APART, *how)
        if not watch.seconds:
            break
        say(f"load: the machine stood still for {watch.longest:.1f} s")
    latencies, failures = result["latencies"], result["failures"]
    sent = len(latencies) + sum(failures.values())
    p50, p99, p999 = (percentile(latencies or [float("nan")], part) for part in (0.5, 0.99, 0.999))
    seconds = result["seconds"]
    answered = len(latencies) / seconds
    return Row(share, sent / seconds, sent, failures, answered, p50, p99, p999, tuple(memory), watch.longest)


def _generate(server: Ours, first_number: int, *how: str) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.generator",
        server.address,
        str(ALERT),
        str(first_number),
        *how,
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@contextmanager
def _memory(pid: int) -> Iterator[list[tuple[float, float]]]:
    """Records the memory of a process while the context is open."""
    seen: list[tuple[float, float]] = []
    over, started = threading.Event(), time.monotonic()

    def look() -> None:
        while not over.is_set():
            seen.append((time.monotonic() - started, resident_mb(pid)))
            over.wait(EVERY)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _table(rows: Sequence[Row], cores: int) -> Table:
    columns = (
        "load",
        "sent",
        "failed",
        "per second",
        "per core",
        "p50 ms",
        "p99",
        "p99.9",
        "p99 ÷ p50",
        "MB",
        "stood still ms",
    )
    shown = [
        [
            "saturation" if np.isnan(row.share) else f"{row.share:.0%}",
            str(row.sent),
            str(sum(row.failures.values())),
            f"{row.answered:.1f}",
            f"{row.answered / cores:.1f}",
            ms(row.p50),
            ms(row.p99),
            ms(row.p999),
            f"{row.p99 / row.p50:.1f}",
            f"{row.memory[0][1]:.0f}-{max(mb for _, mb in row.memory):.0f}",
            f"{1000 * row.stood_still:.0f}",
        ]
        for row in rows
    ]
    return table(f"Load: demo alert {ALERT.stem}, default settings, {cores} cores", columns, shown)


def _charts(rows: Sequence[Row]) -> list[Chart]:
    shares = [100 * row.share for row in rows]
    latencies = {
        name: (shares, [1000 * getattr(row, field) for row in rows])
        for name, field in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"))
    }
    memory = {
        f"{row.share:.0%}": ([at for at, _ in row.memory], [mb for _, mb in row.memory]) for row in rows
    }
    return [
        Chart("load_latency", "Latency from arrival", "% of saturation", "ms", latencies),
        Chart("load_memory", "The server's memory under load", "seconds", "MB", memory),
    ]
