"""Measures explanations of a model behind an endpoint that takes 20 ms a call: time, rows, calls and errors.

The reference GRU runs on an alert of 47 events, in another process that answers up to sixteen calls at a time.
Sequela is measured with both estimators and its defaults: at most 256 rows a call, and at most eight calls at a time.
timeshap drives the same endpoint through a plain wrapper, which also splits its rows into calls of 256: one call at a
time, as such a wrapper usually does, and eight at a time. All prune with the same tolerance, and compute the event
and the feature level with the same number of coalitions. 32,768 is about the number in timeshap's own examples. The
error is taken over all players of both levels, against attributions from a very large number of coalitions.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np
from rich.table import Table
from sequela_client import Endpoint, Explanation

from benchmarks import levels
from benchmarks.beside import REFERENCE_SEED, say
from benchmarks.cases import Case, gru
from benchmarks.effort import Effort
from benchmarks.growth import rms
from benchmarks.levels import Levels
from benchmarks.ours import TIMEOUT, TOLERANCE, Options, Ours, serving
from benchmarks.peers.jobs import Calls, PeerFailed, run_timeshap
from benchmarks.report import Chart, Finding, ms, table
from benchmarks.served import served

LENGTH = 47
CALL_SECONDS = 0.02
CALL_ROWS = 256
AT_ONCE = 8
TARGETS = (0.01, 0.005, 0.002, 0.001)
BUDGETS = (256, 512, 1024, 2048, 4096, 8192)
PEER_BUDGETS = (512, 2048, 8192, 32_768)
PLAYED = ("event", "feature")
STRICT = {"target_standard_error": 0.0}
WAYS: dict[str, Options] = {
    "ours, regression": STRICT | {"estimator": "regression"},
    "ours, control variate": STRICT | {"estimator": "control_variate"},
}
STOPPING: dict[str, Options] = {
    "ours, default settings": {},
    "ours, default settings, control variate": {"estimator": "control_variate"},
}
"""These stop when every standard error is at most 0.005, as is the default."""
WRAPPERS = {
    "timeshap": Calls(CALL_ROWS, 1),
    f"timeshap, {AT_ONCE} calls at a time": Calls(CALL_ROWS, AT_ONCE),
}
ALLOWED = ("--endpoint-allow", "grpc://127.0.0.1:*/*", "--endpoint-networks", "127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Row:
    """One explainer at one number of coalitions a level. Numbers are means over seeds; `times` has the seconds of
    each seed.
    """

    explainer: str
    coalitions: int
    seconds: tuple[float, ...]
    rows: float
    calls: float
    error: float

    @property
    def median(self) -> float:
        """The median time in seconds."""
        return float(np.median(self.seconds))


NUMBERS: tuple[Callable[[Row], float], ...] = (attrgetter("rows"), attrgetter("median"))


@dataclass(frozen=True, slots=True)
class Task:
    """The input of each explainer: the case, the endpoint's URI, the true attributions, and the seeds."""

    case: Case
    uri: str
    schema: Path
    truth: Levels
    seeds: range


def study(effort: Effort, folder: Path) -> Finding:
    """Measures every explainer at every budget."""
    case = gru(folder, LENGTH)
    schema = folder / "schema.json"
    schema.write_text('{"bounded": true}')
    with served(case.model, CALL_SECONDS) as uri, serving(*ALLOWED) as server:
        say(f"{case.name} behind an endpoint: reference")
        task = Task(case, uri, schema, _truth(server, case, effort), range(effort.repeats))
        rows = [row for name in WAYS for row in _ours(server, name, task)]
        rows += [_ours_at(server, name, task, options) for name, options in STOPPING.items()]
        rows += [row for name in WRAPPERS for row in _timeshaps(name, task, effort)]
    return Finding("endpoint", rows, [_measured(rows), _compared(rows)], [_chart(rows)])


def _truth(server: Ours, case: Case, effort: Effort) -> Levels:
    """Returns the true attributions, computed from the model's file, which costs no calls."""
    coalitions = min(effort.reference, 1 << 19)
    options = {"max_coalitions": coalitions, "target_standard_error": 0.0, "levels": list(PLAYED)}
    found = levels.ours(server.explain(case, REFERENCE_SEED, **options).explanation)
    return {name: found[name] for name in PLAYED}


def _ours(server: Ours, name: str, task: Task) -> list[Row]:
    """Measures Sequela. A first explanation is not counted: it connects, and finds out how many calls keep the
    endpoint busy.
    """
    say(name)
    asked = [WAYS[name] | {"max_coalitions": budget} for budget in BUDGETS]
    explain(server, task, len(task.seeds), asked[-1])
    return [_ours_at(server, name, task, options) for options in asked]


def _ours_at(server: Ours, name: str, task: Task, options: Options) -> Row:
    done = [explain(server, task, seed, options) for seed in task.seeds]
    costs = [explanation.cost for explanation, _ in done]
    return Row(
        name,
        max(level.quality.coalitions for explanation, _ in done for level in explanation.levels.values()),
        tuple(seconds for _, seconds in done),
        float(np.mean([cost.endpoint_rows for cost in costs])),
        float(np.mean([cost.endpoint_calls for cost in costs])),
        _error([levels.ours(explanation) for explanation, _ in done], task.truth),
    )


def explain(server: Ours, task: Task, seed: int, options: Options) -> tuple[Explanation, float]:
    """Explains the case through the endpoint. Returns the explanation and its seconds."""
    usual: Options = {"levels": list(PLAYED), "pruning_tolerance": TOLERANCE, "timeout": TIMEOUT}
    model = Endpoint(task.uri, schema=task.schema)
    started = time.perf_counter()
    explanation = server.sequela.explain(
        task.case.inputs, model=model, background=task.case.background, seed=seed, **usual | options
    )
    return explanation, time.perf_counter() - started


def _timeshaps(name: str, task: Task, effort: Effort) -> list[Row]:
    budgets = [budget for budget in PEER_BUDGETS if budget <= effort.coalitions]
    rows = []
    for budget in budgets:
        say(f"{name}, {budget} coalitions")
        try:
            rows.append(_timeshap_at(name, task, budget))
        except PeerFailed as failed:
            say(f"{name} is left out: {failed}")
    return rows


def _timeshap_at(name: str, task: Task, budget: int) -> Row:
    result = run_timeshap(
        task.uri,
        task.case.columns,
        task.case.background_columns,
        tolerance=TOLERANCE,
        nsamples=budget,
        seeds=task.seeds,
        calls=WRAPPERS[name],
    )
    runs = len(task.seeds)
    return Row(
        name,
        budget,
        tuple(result.seconds.tolist()),
        result.rows_pruning + (result.rows - result.rows_pruning) / runs,
        result.calls_pruning + (result.calls - result.calls_pruning) / runs,
        _error([levels.timeshaps(result, run) for run in range(runs)], task.truth),
    )


def _error(found: Sequence[Levels], truth: Levels) -> float:
    return rms(
        [
            each[name][player] - value
            for each in found
            for name in PLAYED
            for player, value in truth[name].items()
        ]
    )


def needed(rows: Sequence[Row], target: float, number: Callable[[Row], float]) -> float:
    """Returns how many rows, or how much time, an explainer needs for an error of `target`.

    The number is interpolated by a power law between the smallest budget whose error is small enough, and the budget
    before it. It is NaN if no budget is enough.
    """
    reached = next((index for index, row in enumerate(rows) if row.error <= target), None)
    if reached is None:
        return float("nan")
    before, after = rows[max(reached - 1, 0)], rows[reached]
    if before is after:
        return number(after)
    errors, numbers = np.log([after.error, before.error]), np.log([number(after), number(before)])
    return float(np.exp(np.interp(np.log(target), errors, numbers)))


def _measured(rows: Sequence[Row]) -> Table:
    columns = ("explainer", "coalitions", "rows", "calls", "ms", "RMSE")
    shown = [
        [
            row.explainer,
            str(row.coalitions),
            f"{row.rows:.0f}",
            f"{row.calls:.0f}",
            ms(row.median),
            f"{row.error:.2g}",
        ]
        for row in rows
    ]
    title = f"GRU {LENGTH}x45 behind an endpoint, {1000 * CALL_SECONDS:.0f} ms a call: pruning, events and features"
    return table(title, columns, shown)


def _compared(rows: Sequence[Row]) -> Table:
    """Returns a table of what each explainer needs for each error, and how many times as much timeshap needs."""
    ways = {name: [row for row in rows if row.explainer == name] for name in (*WAYS, *WRAPPERS)}
    shown = []
    for target in TARGETS:
        theirs = [needed(ways["timeshap"], target, number) for number in NUMBERS]
        for name, mine in ways.items():
            count, seconds = (needed(mine, target, number) for number in NUMBERS)
            ratios = [f"{other / own:.1f}" for own, other in zip((count, seconds), theirs, strict=True)]
            shown.append([f"{target}: {name}", f"{count:.0f}", f"{1000 * seconds:.0f}", *ratios])
    columns = ("RMSE", "rows", "ms", "timeshap's rows ÷", "timeshap's time ÷")
    return table("What an error takes, between the budgets measured (nan: more)", columns, shown)


def _chart(rows: Sequence[Row]) -> Chart:
    lines = {
        name: (
            [float(np.log2(row.rows)) for row in rows if row.explainer == name],
            [1000 * row.error for row in rows if row.explainer == name],
        )
        for name in (*WAYS, "timeshap")
    }
    return Chart("endpoint", "Error by rows sent to an endpoint", "rows, log2", "RMSE, thousandths", lines)
