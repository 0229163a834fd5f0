"""Bulk explanation: sequences a second beside a loop over the client and timeshap's global report, and memory.

All explain the same simulated alerts with the demo's model: pruning at 0.025, the event and the feature level, the
same number of coalitions, no early stop. No rate includes the start of a process, its imports, loading the model, or
simulating the accounts. explain_all starts a server for each core itself; the time until one of them knows the model
is reported separately. The rest includes reading and writing files. The loop and the stream call one server with
default workers. timeshap gets a few of the alerts, since it needs much longer.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sequela_client.cohort import explain_all
from sequela_client.cohort.run import Progress

from benchmarks.beside import say
from benchmarks.bulk.agreement import Agreement, agreement
from benchmarks.bulk.killed_run import kill_and_resume
from benchmarks.bulk.memory_watch import MemoryWatch, watched_memory
from benchmarks.bulk.question import COALITIONS, OPTIONS, question, run_options
from benchmarks.bulk.simulated import MODEL, alerts, inputs, matrix, write_accounts
from benchmarks.bulk.tables import Row, agreement_table, killed_run, ways
from benchmarks.effort import Effort
from benchmarks.ours import TOLERANCE, Ours, serving
from benchmarks.peers.jobs import CohortResult, PeerFailed, run_timeshap_cohort
from benchmarks.report import Finding

SHARES = {"client": 0.1, "timeshap": 0.01}  # the share of the alerts that the slower ways explain
FEWEST = {"client": 100, "timeshap": 20}
MOST = {"client": 1000, "timeshap": 50}
REPORT_SECONDS = 30.0  # how often a long run says how far it is
MODEL_NAME = "account_takeover"


def study(effort: Effort, folder: Path) -> Finding:
    """Explains the same alerts in all ways."""
    count = effort.sequences
    say(f"bulk: simulating {count} alerts")
    source, out = write_accounts(folder / "accounts.parquet", count), folder / "cohort"
    say("bulk: explain_all")
    rows = [bulk(source, out, count)]
    say(f"bulk: explain_all, killed at half; the undisturbed run took {rows[0].seconds:.0f} s")
    killed = kill_and_resume(source, out, rows[0].start_seconds + rows[0].seconds, folder / "killed")
    drawn = [inputs(each) for each in alerts(_part("client", count))]
    for name, explain in CLIENTS.items():
        say(f"bulk: {name}, {len(drawn)} alerts")
        rows.append(by_client(name, explain, drawn))
    theirs, agreements = _timeshap(out, _part("timeshap", count))
    rows += theirs
    shown = [ways(rows), killed_run(killed), *map(agreement_table, agreements)]
    return Finding("bulk", [*rows, killed, *agreements], shown)


def bulk(source: Path, out: Path, count: int) -> Row:
    """Explains a file, and reads the memory of all processes meanwhile."""
    began = time.perf_counter()
    with watched_memory() as watch:
        clock = Clock(watch)
        explain_all(source, out, question(), run_options(count), clock.report)
        ended = time.perf_counter()
    ready = clock.times[0]  # the first report comes when a server has described the model
    return Row("explain_all", count, ended - ready, ready - began, max(watch.readings), watch.quarters)


@dataclass(slots=True)
class Clock:
    """The times of the reports of a run, which it prints now and then."""

    memory: MemoryWatch
    times: list[float] = field(default_factory=list)
    said: float = field(default_factory=time.perf_counter)

    def report(self, progress: Progress) -> None:
        """Notes the time of a report."""
        now = time.perf_counter()
        self.times.append(now)
        if now - self.said > REPORT_SECONDS:
            self.said = now
            rate, memory = progress.done / (now - self.times[0]), self.memory.readings[-1]
            say(f"bulk: {progress.done:,} of {progress.total:,}, {rate:.1f} a second, {memory:.0f} MB")


def by_client(
    name: str, explain: Callable[[Ours, list[dict[str, Any]]], None], drawn: list[dict[str, Any]]
) -> Row:
    """Explains accounts with a server of its own, since a server answers equal requests from its store.

    The last account is explained first and not counted, so that the model and its background are known.
    """
    with serving() as server:
        explain(server, drawn[-1:])
        started = time.perf_counter()
        explain(server, drawn[:-1])
        return Row(name, len(drawn) - 1, time.perf_counter() - started)


def _loop(server: Ours, drawn: list[dict[str, Any]]) -> None:
    for each in drawn:
        server.sequela.explain(each, model=MODEL_NAME, **OPTIONS)


def _stream(server: Ours, drawn: list[dict[str, Any]]) -> None:
    for outcome in server.sequela.explain_many(drawn, model=MODEL_NAME, **OPTIONS):
        outcome.unwrap()


CLIENTS = {"a loop over Sequela.explain": _loop, "one Sequela.explain_many": _stream}


def _part(way: str, count: int) -> int:
    """How many of the alerts a slower way explains."""
    return min(count, max(int(SHARES[way] * count), FEWEST[way]), MOST[way])


def _timeshap(cohort: Path, count: int) -> tuple[list[Row], list[Agreement]]:
    say(f"bulk: timeshap, {count} alerts")
    try:
        found = timeshap_report(count)
    except PeerFailed as error:
        say(f"timeshap is left out: {error}")
        return [], []
    return [Row("timeshap's global report", count, found.seconds)], [agreement(cohort, found)]


def timeshap_report(count: int) -> CohortResult:
    """The global report of timeshap over the first alerts. Raises PeerFailed."""
    background = json.loads((MODEL / "schema.json").read_text())["background"]
    average = np.concatenate([np.ravel(background[name]) for name in ("numeric", "categorical")])
    return run_timeshap_cohort(
        MODEL / "model.onnx",
        [matrix(account) for account in alerts(count)],
        average.astype(np.float64),
        tolerance=TOLERANCE,
        nsamples=COALITIONS,
        seed=0,
    )
