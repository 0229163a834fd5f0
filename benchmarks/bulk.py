"""Bulk explanation: sequences a second beside a loop over the client and timeshap's global report, and memory.

All explain the same simulated accounts with the demo's model: pruning at 0.025, the event and the feature level, the
same number of coalitions, no early stop. Sequela's bulk runs start a server for each core, and their time includes
this start; the loop and the stream call one server with default workers that is running already. timeshap gets a few
of the accounts, since it needs much longer; its time is without imports and without loading the model.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.table import Table
from sequela_client.cohort import BulkQuestion, explain_all

from benchmarks.beside import say
from benchmarks.cases import DEMO
from benchmarks.effort import Effort
from benchmarks.ours import TOLERANCE, Options, Ours, serving
from benchmarks.peers.jobs import CohortResult, PeerFailed, run_timeshap_cohort
from benchmarks.processes import tree_mb
from benchmarks.report import Finding, table
from benchmarks.simulated import draw, matrix, write_accounts

MODEL = DEMO / "models" / "account_takeover" / "1"
COALITIONS = 512
OPTIONS: Options = {
    "levels": ("event", "feature"),
    "pruning_tolerance": TOLERANCE,
    "max_coalitions": COALITIONS,
    "target_standard_error": 0.0,
}
LOOPED, PEERS = 0.1, 0.01  # the share of sequences that the loop and timeshap explain
EVERY_SECONDS = 0.5  # how often the memory is read


@dataclass(frozen=True, slots=True)
class Row:
    """One way to explain many sequences.

    Args:
        name: the way.
        sequences: how many were explained.
        seconds: wall time.
        peak_mb: the largest memory of the process with its children; NaN if it was not read.
        halves_mb: the mean memory in the second and in the last quarter of the run, which are equal if it is flat.
    """

    name: str
    sequences: int
    seconds: float
    peak_mb: float = float("nan")
    halves_mb: tuple[float, float] = (float("nan"), float("nan"))

    @property
    def rate(self) -> float:
        """Sequences a second."""
        return self.sequences / self.seconds


@dataclass(slots=True)
class MemoryWatch:
    """The memory of this process and its children, read at intervals."""

    readings: list[float] = field(default_factory=list)

    @property
    def quarters(self) -> tuple[float, float]:
        """The mean in the second and in the last quarter."""
        parts = np.array_split(np.array(self.readings), 4)
        return float(parts[1].mean()), float(parts[3].mean())


@contextmanager
def _watched() -> Iterator[MemoryWatch]:
    watch, stop = MemoryWatch([tree_mb()]), threading.Event()

    def read() -> None:
        while not stop.wait(EVERY_SECONDS):
            watch.readings.append(tree_mb())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield watch
    finally:
        stop.set()
        reader.join()


def study(effort: Effort, folder: Path) -> Finding:
    """Explains the same accounts in all ways."""
    count = effort.sequences
    source = write_accounts(folder / "accounts.parquet", count)
    rows = [_bulk(source, folder / "cohort", count)]
    with serving() as server:
        rows += [_loop(server, max(int(LOOPED * count), 20)), _stream(server, max(int(LOOPED * count), 20))]
    rows += _timeshap(max(int(PEERS * count), 10))
    return Finding("bulk", rows, [_shown(rows)])


def question() -> BulkQuestion:
    """What is asked about every account."""
    return BulkQuestion(str(MODEL / "model.onnx"), options=OPTIONS, id="account", labels=("outcome",))


def _bulk(source: Path, out: Path, count: int) -> Row:
    started = time.perf_counter()
    with _watched() as watch:
        explain_all(source, out, question())
    seconds = time.perf_counter() - started
    return Row("explain_all, a server for each core", count, seconds, max(watch.readings), watch.quarters)


def _loop(server: Ours, count: int) -> Row:
    def run() -> None:
        for account in draw(count):
            inputs = {"numeric": account.numeric(), "categorical": account.categorical()}
            server.sequela.explain(inputs, model="account_takeover", **OPTIONS)

    return _timed("a loop over Sequela.explain", count, run)


def _stream(server: Ours, count: int) -> Row:
    inputs = ({"numeric": each.numeric(), "categorical": each.categorical()} for each in draw(count))

    def run() -> None:
        for outcome in server.sequela.explain_many(inputs, model="account_takeover", **OPTIONS):
            outcome.unwrap()

    return _timed("one Sequela.explain_many", count, run)


def _timed(name: str, count: int, run: Callable[[], None]) -> Row:
    started = time.perf_counter()
    run()
    return Row(name, count, time.perf_counter() - started)


def _timeshap(count: int) -> list[Row]:
    try:
        found = timeshap_report(count)
    except PeerFailed as error:
        say(f"timeshap is left out: {error}")
        return []
    return [Row("timeshap 1.0.4, calc_global_explanations", count, found.seconds)]


def timeshap_report(count: int) -> CohortResult:
    """The global report of timeshap over the first accounts. Raises PeerFailed."""
    background = json.loads((MODEL / "schema.json").read_text())["background"]
    average = np.concatenate([np.ravel(background[name]) for name in ("numeric", "categorical")])
    return run_timeshap_cohort(
        MODEL / "model.onnx",
        [matrix(account) for account in draw(count)],
        average.astype(np.float64),
        tolerance=TOLERANCE,
        nsamples=COALITIONS,
        seed=0,
    )


def _shown(rows: list[Row]) -> Table:
    best = rows[0].rate
    lines = [
        [
            row.name,
            f"{row.sequences:,}",
            f"{row.rate:.3g}",
            f"{best / row.rate:.1f}",
            *("" if np.isnan(value) else f"{value:.0f}" for value in (row.peak_mb, *row.halves_mb)),
        ]
        for row in rows
    ]
    columns = ("", "sequences", "a second", "ratio", "peak MB", "MB, 2nd quarter", "MB, last quarter")
    return table(f"Bulk: events and features, {COALITIONS} coalitions", columns, lines)
