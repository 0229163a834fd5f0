"""Compares explanations with those of other explainers: time, error, model rows, memory, and the time of the bare
model.

Sequela is timed at the client. Other explainers are timed in their own environment, without imports and without
loading the model. timeshap prunes and computes all three levels. shap and captum have no pruning and no cells, so
they get the cut that Sequela found, and compute the event and the feature level, on all cores and with 256 rows a
call. All get the same number of coalitions a level.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import levels
from benchmarks.bare import events_per_row, rate
from benchmarks.cases import Case
from benchmarks.effort import Effort
from benchmarks.growth import rmse
from benchmarks.halts import watched
from benchmarks.levels import Levels
from benchmarks.ours import TOLERANCE, TOP, Ours, Timed, serving, unpruned
from benchmarks.peers.jobs import AS_GIVEN, BATCHED, Calls, PeerFailed, run_game, run_timeshap
from benchmarks.processes import MB, available_mb
from benchmarks.stateful import with_states

REFERENCE_SEED = 1000
SHARE = 0.9  # the share of free memory that another explainer may use: timeshap holds all coalitions at once


@dataclass(frozen=True, slots=True)
class Row:
    """One explainer on one case.

    Args:
        case: the name of the case.
        explainer: the name of the explainer.
        seconds: the time of each repetition.
        errors: the root mean square error of each level, if the same players were found.
        bare_seconds: the time of the bare model for the rows and events that Sequela ran.
        stood_still: how many seconds the whole machine stood still. No time includes them.
        failed: why there is no result; empty if there is one.
    """

    case: str
    explainer: str
    seconds: tuple[float, ...]
    errors: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    peak_mb: float = float("nan")
    events_run: int = 0
    bare_seconds: float = float("nan")
    unpruned: int = 0
    stood_still: float = 0.0
    failed: str = ""

    @property
    def median(self) -> float:
        """The median time in seconds; NaN if it failed."""
        return float(np.median(self.seconds)) if self.seconds else float("nan")


@dataclass(frozen=True, slots=True)
class Task:
    """The input of other explainers: the case, its true attributions, and the cut that Sequela found."""

    case: Case
    truth: Levels
    pruned: int
    coalitions: int
    folder: Path


OURS, DEFAULTS = "ours", "ours, default settings"


def measure(case: Case, effort: Effort, folder: Path) -> list[Row]:
    """Sequela with the reference options and with its defaults, and each other explainer that can explain the case."""
    say(f"{case.name}: ours")
    reference = min(case.reference, effort.reference)
    with serving("--max-coalitions", str(max(reference, effort.coalitions))) as server:
        strict = {"max_coalitions": effort.coalitions, "target_standard_error": 0.0}
        asked = {OURS: strict, DEFAULTS: {}}
        answers = {name: server.repeat(case, effort, **options) for name, options in asked.items()}
        say(f"{case.name}: reference, {reference} coalitions a level")
        truth = _reference(server, case, reference)
    speed = rate(case, events_per_row(answers[OURS][0].explanation), effort.bare_seconds)
    rows = [_ours(case, name, timed, truth, speed) for name, timed in answers.items()]
    pruned = answers[OURS][0].explanation.pruning.pruned_events
    task = Task(case, truth, pruned, effort.coalitions, folder)
    rows += [_peer(name, task) for name in case.peers]
    return rows + [Row(case.name, "others", (), failed=case.left_out)] * bool(case.left_out)


def errors(found: Sequence[Levels], truth: Levels) -> dict[str, float]:
    """Returns the root mean square error of each level, over the runs that have the players of the reference.

    A level without such a run is left out.
    """
    right = {
        name: [each[name] for each in found if name in each and each[name].keys() == wanted.keys()]
        for name, wanted in truth.items()
    }
    return {name: rmse(runs, truth[name]) for name, runs in right.items() if runs}


def _reference(server: Ours, case: Case, coalitions: int) -> Levels:
    options = {"max_coalitions": coalitions, "target_standard_error": 0.0}
    return levels.ours(server.explain(case, REFERENCE_SEED, **options).explanation)


def _ours(case: Case, name: str, timed: Sequence[Timed], truth: Levels, speed: float) -> Row:
    last = timed[-1].explanation
    return Row(
        case.name,
        name,
        tuple(each.seconds for each in timed),
        errors([levels.ours(each.explanation) for each in timed], truth),
        last.cost.model_rows,
        max(each.peak_mb for each in timed),
        last.cost.model_events,
        last.cost.model_events / speed,
        unpruned(last),
    )


def _peer(name: str, task: Task) -> Row:
    say(f"{task.case.name}: {name}")
    try:
        with watched() as watch:
            row = PEERS[name](name, task)
    except PeerFailed as failed:
        return Row(task.case.name, name, (), failed=str(failed).strip().splitlines()[-1])
    seconds = tuple(max(each - watch.seconds, 0.0) for each in row.seconds)
    return replace(row, seconds=seconds, stood_still=watch.seconds)


def _timeshap(calls: Calls, model: Callable[[Task], Path], name: str, task: Task) -> Row:
    case = task.case
    result = run_timeshap(
        model(task),
        case.columns,
        case.background_columns,
        tolerance=TOLERANCE,
        nsamples=task.coalitions,
        seeds=[0],
        levels=("events", "features", "cells"),
        top=TOP,
        calls=calls,
        memory=_allowed(),
    )
    return Row(
        case.name,
        name,
        tuple(result.seconds.tolist()),
        errors([levels.timeshaps(result, run=0)], task.truth),
        result.rows,
        result.peak_mb,
        unpruned=case.length - result.pruned_events,
    )


def _game(name: str, task: Task) -> Row:
    case, seconds, rows, peak = task.case, 0.0, 0, 0.0
    found: Levels = {}
    for level in ("event", "feature"):
        names, owners = levels.players(case.length, case.columns.shape[1], task.pruned, level)
        result = run_game(
            name,  # type: ignore[arg-type]  # one of the two
            case.model,
            case.columns,
            case.background_columns,
            owners,
            budgets=[task.coalitions],
            seeds=[0],
            memory=_allowed(),
        )
        found[level] = levels.of_game(names, result)
        seconds += float(result.seconds.sum())
        rows, peak = rows + result.rows, max(peak, result.peak_mb)
    return Row(case.name, name, (seconds,), errors([found], task.truth), rows, peak)


def _plain(task: Task) -> Path:
    return task.case.model


def _stateful(task: Task) -> Path:
    return with_states(task.case.model, task.folder / "states.onnx")


def _allowed() -> int:
    return int(SHARE * available_mb() * MB)


def say(message: str) -> None:
    """Prints a line of progress to standard error, since standard output has the tables."""
    print(message, file=sys.stderr, flush=True)


PEERS: dict[str, Callable[[str, Task], Row]] = {
    "timeshap": partial(_timeshap, AS_GIVEN, _plain),
    "timeshap, 256 rows a call": partial(_timeshap, BATCHED, _plain),
    "timeshap, states": partial(_timeshap, AS_GIVEN, _stateful),
    "timeshap, states, 256 rows a call": partial(_timeshap, BATCHED, _stateful),
    "shap": _game,
    "captum": _game,
}
