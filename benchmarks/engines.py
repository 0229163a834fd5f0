"""Measures how a server uses its cores: as many servers as cores, each on a core of its own; one server with as many
workers as cores; and one server with as many engines as cores.

The three are measured in turn, and again from the first on, so that a machine that gets slower or faster meanwhile does
so for all of them. Load generators, one for each core, are processes on the same cores.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from rich.table import Table
from sequela_client.local_server import embedded_server

from benchmarks.beside import say
from benchmarks.cases import DEMO
from benchmarks.effort import Effort
from benchmarks.growth import percentile
from benchmarks.report import RATE_COLUMNS, Finding, ms, rate_cells, table

ALERT = DEMO / "alerts" / "takeover-47.json"
NUMBERS_APART = 1_000_000
SHARE = 0.5  # of the seconds of a load, for each row and round
WORKERS = 2  # requests that each generator keeps running
SETUPS = ("servers of one worker", "one server, workers", "one server, engines")


@dataclass(frozen=True, slots=True)
class EnginesRow:
    """The results of a setup.

    Args:
        name: the setup.
        per_second: alerts that were explained a second, in each round.
        p50: the median latency of these alerts, in seconds, in each round.
        p99: the 99th percentile.
        failures: how many calls failed in all rounds.
    """

    name: str
    per_second: tuple[float, ...]
    p50: tuple[float, ...]
    p99: tuple[float, ...]
    failures: int


def study(effort: Effort, _: Path) -> Finding:
    """Measures all setups, as often as the effort says."""
    cores = sorted(os.sched_getaffinity(0))
    found: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in SETUPS}
    numbers = count(NUMBERS_APART, NUMBERS_APART)
    for number in range(effort.repeats):
        for name in SETUPS:
            say(f"engines: {name}, round {number + 1} of {effort.repeats}")
            with _servers(name, cores) as addresses:
                _generate(addresses, numbers, effort.seconds * SHARE / 4)  # warms the servers up
                found[name].append(_generate(addresses, numbers, effort.seconds * SHARE))
    rows = [_row(name, rounds) for name, rounds in found.items()]
    return Finding("engines", rows, [engines_table(rows, len(cores))])


def engines_table(rows: Sequence[EnginesRow], cores: int) -> Table:
    """Returns the table, with medians over the rounds, compared with the first row."""
    shown = [
        [
            row.name,
            *rate_cells(row.per_second, rows[0].per_second),
            ms(statistics.median(row.p50)),
            ms(statistics.median(row.p99)),
            str(row.failures),
        ]
        for row in rows
    ]
    columns = ("setup", *RATE_COLUMNS, "p50 ms", "p99 ms", "failed")
    return table(f"Engines: demo alert {ALERT.stem}, {cores} cores", columns, shown)


def _row(name: str, rounds: Sequence[Sequence[dict[str, Any]]]) -> EnginesRow:
    per_second, p50, p99, failures = [], [], [], 0
    for generators in rounds:
        latencies = [each for generator in generators for each in generator["latencies"]] or [float("nan")]
        per_second.append(sum(len(each["latencies"]) / each["seconds"] for each in generators))
        p50.append(percentile(latencies, 0.5))
        p99.append(percentile(latencies, 0.99))
        failures += sum(sum(each["failures"].values()) for each in generators)
    return EnginesRow(name, tuple(per_second), tuple(p50), tuple(p99), failures)


@contextmanager
def _servers(name: str, cores: Sequence[int]) -> Iterator[list[str]]:
    """Starts the servers of a setup, and yields an address for each generator."""
    usual = ("--model-repository", str(DEMO / "models"), "--store", "memory:", "--log-level", "info")
    everywhere = set(os.sched_getaffinity(0))
    with ExitStack() as stack:
        if name == SETUPS[0]:
            addresses = []
            for core in cores:
                os.sched_setaffinity(0, {core})  # the server inherits it
                try:
                    addresses.append(stack.enter_context(embedded_server([*usual, "--workers", "1"])))
                finally:
                    os.sched_setaffinity(0, everywhere)
            yield addresses
            return
        number = str(len(cores))
        how = ("--workers", number) if name == SETUPS[1] else ("--engines", number)
        yield [stack.enter_context(embedded_server([*usual, *how]))] * len(cores)


def _generate(addresses: Sequence[str], numbers: Iterator[int], seconds: float) -> list[dict[str, Any]]:
    """Keeps requests running at all addresses, and returns what each generator measured."""
    running = []
    for address in addresses:
        command = [sys.executable, "-m", "benchmarks.generator", address, str(ALERT), str(next(numbers))]
        how = ["--closed", str(WORKERS), str(seconds)]
        running.append(subprocess.Popen([*command, *how], stdout=subprocess.PIPE, text=True))
    return [json.loads(each.communicate()[0]) for each in running]
