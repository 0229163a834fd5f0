"""Lengths and accuracy by pruning tolerance, as in Table 1 of TimeSHAP (KDD 2021, §4.1).

Each sequence is explained at the event level only, once for every tolerance and seed, without early stop. "Original"
is tolerance 0: nothing is pruned, and every event is a player.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from sequela_client.cohort import BulkQuestion, Cohort, RunOptions, explain_all

from benchmarks.arem.data import AremNotFound
from benchmarks.arem.held_out import FIXTURES, HeldOut, held_out
from benchmarks.arem.held_out import MODEL as AREM_MODEL
from benchmarks.beside import say
from benchmarks.bulk.simulated import MODEL, POSITIVE, alerts, inputs
from benchmarks.cases import WIDTH, Bank, gru
from benchmarks.effort import Effort
from benchmarks.peers.scorer import Scorer
from benchmarks.report import Finding, table

TOLERANCES = (0.005, 0.0075, 0.01, 0.025, 0.05, 0.1)
TIMEOUT = 600.0
AREM_STEPS = (60, 120, 240, 480)  # the most recent steps of a recording that are explained
# Lengths of the reference GRU's alerts are lognormal with the paper's median and mean (138.5 and 182.1 events).
MEDIAN_LENGTH, SIGMA, LONGEST = 138.5, 0.74, 2187

Inputs = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Alerts:
    """Sequences with a positive prediction, and their model."""

    name: str
    model: Path
    sequences: Sequence[Inputs]


@dataclass(frozen=True, slots=True)
class Row:
    """A column of Table 1: `Cohort.pruning` says what the numbers are. tolerance: None is "original"."""

    case: str
    coalitions: int
    seconds: float
    tolerance: float | None
    sequences: int
    incomplete: int
    mean_length: float
    median_length: float
    max_length: int
    exact_share: float
    pruned_share: float
    rsd: float | None
    rsd_players: int | None
    rsd_seeds: int | None
    paper_mean_length: float | None
    paper_median_length: float | None
    paper_max_length: int | None
    paper_exact_share: float | None
    paper_rsd: float | None


def study(effort: Effort, folder: Path) -> Finding:
    """Explains the alerts of each case. A case whose data is missing is left out."""
    rows, tables = [], []
    for name, make in CASES.items():
        try:
            found = measure(make(effort, folder), effort, folder / f"pruning-{name}")
        except AremNotFound as missing:
            say(f"pruning, {name} is left out: {missing}")
            continue
        rows += found
        tables.append(shown(found))
    return Finding("pruning", rows, tables)


def measure(case: Alerts, effort: Effort, folder: Path, run: RunOptions | None = None) -> list[Row]:
    """Explains the alerts with every tolerance and seed, and makes the table."""
    folder.mkdir()
    say(f"pruning: {case.name}, {len(case.sequences)} sequences")
    question = BulkQuestion(
        str(case.model),
        options={
            "levels": ("event",),
            "max_coalitions": effort.coalitions,
            "target_standard_error": 0.0,
            "full_pruning_curve": True,
        },
        seeds=tuple(range(effort.seeds)),
        tolerances=(0.0, *TOLERANCES),
        timeout=TIMEOUT,
    )
    started = time.perf_counter()
    cohort = explain_all(write(folder / "alerts.npz", case.sequences), folder / "cohort", question, run)
    return rows(case.name, cohort, effort.coalitions, time.perf_counter() - started)


def rows(case: str, cohort: Cohort, coalitions: int, seconds: float) -> list[Row]:
    """The rows of a cohort that was explained with several tolerances and seeds."""
    found = cohort.pruning(TOLERANCES, coalitions)
    return [Row(case, coalitions, seconds, **row) for row in found.to_pylist()]


def write(path: Path, sequences: Sequence[Inputs]) -> Path:
    """Writes sequences one below the other, with their lengths."""
    joined: Any = {name: np.concatenate([each[name] for each in sequences]) for name in sequences[0]}
    lengths = np.array([len(next(iter(each.values()))) for each in sequences])
    np.savez(path, lengths=lengths, **joined)
    return path


def demo(effort: Effort, _: Path) -> Alerts:
    """Simulated accounts that the demo's model takes for takeovers."""
    return Alerts("demo", MODEL / "model.onnx", [inputs(each) for each in alerts(effort.alerts)])


def arem(effort: Effort, _: Path) -> Alerts:
    """The most recent steps of held-out AReM recordings, where the model predicts its class, at several lengths."""
    names: list[str] = json.loads((FIXTURES / "arem_split.json").read_text())["held_out"]
    recordings: list[HeldOut] = [held_out(name) for name in names]
    score = Scorer(str(AREM_MODEL))
    parts = [each.values[-steps:] for steps in AREM_STEPS for each in recordings]
    positive = [part for part in parts if score(part[np.newaxis])[0, 0] >= POSITIVE]
    # Every length is kept, however few sequences are wanted.
    chosen = np.linspace(0, len(positive) - 1, min(effort.alerts, len(positive))).round().astype(int)
    return Alerts("AReM", AREM_MODEL, [{"x": positive[each]} for each in chosen])


def reference(effort: Effort, folder: Path) -> Alerts:
    """Alerts of the reference GRU, as long as those of the paper."""
    model = gru(folder, 47).model
    features = [{"name": f"x{place}", "columns": {"x": [place]}} for place in range(WIDTH)]
    schema = {
        "inputs": [{"name": "x", "role": "events", "dtype": "float32", "width": WIDTH}],
        "features": features,
        "background": {"x": [0.0] * WIDTH},
    }
    model.with_name("schema.json").write_text(json.dumps(schema))
    drawn = np.random.default_rng(0).lognormal(np.log(MEDIAN_LENGTH), SIGMA, effort.alerts)
    lengths = np.clip(drawn.round().astype(int), 20, LONGEST)
    made = [Bank().alerts(1, int(length), seed)[0] for seed, length in enumerate(lengths)]
    score = Scorer(str(model))
    positive = [each for each in made if score(each[np.newaxis])[0, 0] >= POSITIVE]
    return Alerts("reference GRU", model, [{"x": each} for each in positive])


CASES: dict[str, Callable[[Effort, Path], Alerts]] = {"demo": demo, "arem": arem, "reference": reference}


def shown(found: Sequence[Row]) -> Table:
    """Table 1 with a column for each tolerance, and the paper's numbers below ours."""
    first = found[0]
    names = ("", *("original" if row.tolerance is None else f"{row.tolerance:g}" for row in found))
    lines = [
        ["mean length", *(f"{row.mean_length:.1f}" for row in found)],
        ["  paper", *(_text(row.paper_mean_length, "{:.1f}") for row in found)],
        ["median length", *(f"{row.median_length:g}" for row in found)],
        ["  paper", *(_text(row.paper_median_length, "{:g}") for row in found)],
        ["longest", *(str(row.max_length) for row in found)],
        ["  paper", *(_text(row.paper_max_length, "{}") for row in found)],
        ["exactly computable", *(f"{row.exact_share:.1%}" for row in found)],
        ["  paper", *(_text(row.paper_exact_share, "{:.1%}") for row in found)],
        ["RSD", *(_text(row.rsd, "{:.3f}") for row in found)],
        ["  players", *(_text(row.rsd_players, "{}") for row in found)],
        ["  paper", *(_text(row.paper_rsd, "{:.2f}") for row in found)],
    ]
    title = (
        f"{first.case}: {first.sequences} sequences, {first.coalitions:,} coalitions, {first.rsd_seeds or 1} seeds, "
        f"{first.seconds:.0f} s"
    )
    return table(title, names, lines)


def _text(value: float | None, pattern: str) -> str:
    return "–" if value is None else pattern.format(value)
