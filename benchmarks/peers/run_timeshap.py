"""Explains one sequence with timeshap 1.0.4. It is run by the Python of timeshap's environment.

    python -m benchmarks.peers.run_timeshap job.npz result.npz

Job: model (the path of an ONNX file, with hidden states if it takes and returns them, or the URI of a served model),
batch and threads of a model call (of a served model: rows of a call, and calls at a time), sequence (l, d),
background (1, d) or (l, d), tolerance, nsamples, seeds (s), levels ("events", "features" and "cells", which needs the
other two), top (how many events and features make the cells), memory (the limit on address space in bytes; 0: none).
The cut does not depend on the seed, so it is computed once.

Result: pruned_events; seconds_pruning; for each level the attributions (s, players) in `events` (t = 0, -1, …),
`features` or `cells`; those of the pruned block (s) in `events_pruned`, … (NaN if nothing is pruned); the seconds (s)
in `events_seconds`, …; for cells the names `event|feature` (s, players) in `cells_names`; the rows and calls of the
model and peak_mb over all seeds; rows_pruning and calls_pruning.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from timeshap.explainer import local_cell_level, local_event, local_feat, local_pruning

from benchmarks.peers.memory import Memory
from benchmarks.peers.scorer import opened
from benchmarks.peers.served_model import Asking

PRUNED = "Pruned Events"  # the name of the row of the pruned block in timeshap

Table: TypeAlias = pd.DataFrame
Run = dict[str, Any]
Score = Callable[..., Any]


class Sequence:
    """One sequence to explain, by one model."""

    def __init__(self, job: dict[str, Any], score: Score) -> None:
        self._score = score
        self._x = job["sequence"][np.newaxis].astype(np.float64)
        self._background = job["background"].astype(np.float64)
        self._nsamples, self._top = int(job["nsamples"]), int(job["top"])
        self._names = [str(column) for column in range(self._x.shape[2])]
        self._cut = 0

    def prune(self, tolerance: float) -> int:
        """Finds the number of the oldest events that are pruned, that is, joined into one player."""
        _, index = local_pruning(self._score, self._x, {"tol": tolerance}, self._background)
        self._cut = self._x.shape[1] + index  # the index counts from the end: -20 keeps 20 events
        return self._cut

    def events(self, seed: int, _: dict[str, Table]) -> Table:
        """Returns the event level."""
        return self._level(local_event, {"rs": seed, "nsamples": self._nsamples})

    def features(self, seed: int, _: dict[str, Table]) -> Table:
        """Returns the feature level."""
        options = {"rs": seed, "nsamples": self._nsamples, "feature_names": self._names}
        return self._level(local_feat, options)

    def cells(self, seed: int, before: dict[str, Table]) -> Table:
        """Returns the cell level, of the strongest events and features of the other two."""
        options = {
            "rs": seed,
            "nsamples": self._nsamples,
            "feature_names": self._names,
            "top_x_events": self._top,
            "top_x_feats": self._top,
        }
        return self._level(local_cell_level, options, before["events"], before["features"])

    def _level(self, explain: Callable[..., Table], options: dict[str, Any], *before: Table) -> Table:
        return explain(self._score, self._x, options, *before, None, None, self._background, self._cut)


def numbers(name: str, table: Table) -> Run:
    """Returns the attributions of all other players, in timeshap's order, and that of the pruned block."""
    values = table["Shapley Value"].to_numpy(dtype=np.float64)
    pruned = (table["Feature"] == PRUNED).to_numpy()
    found = {name: values[~pruned], f"{name}_pruned": values[pruned].item() if pruned.any() else float("nan")}
    if "Event" in table:
        names = table["Event"].astype(str) + "|" + table["Feature"].astype(str)
        found[f"{name}_names"] = names.to_numpy(dtype=str)[~pruned]
    return found


def explain(sequence: Sequence, levels: list[str], seed: int) -> Run:
    """Computes all levels once."""
    tables: dict[str, Table] = {}
    found: Run = {}
    for name in levels:
        started = time.perf_counter()
        tables[name] = getattr(sequence, name)(seed, tables)
        found[f"{name}_seconds"] = time.perf_counter() - started
        found |= numbers(name, tables[name])
    return found


def _opened(model: str, batch: int, threads: int) -> Any:
    return (Asking if "://" in model else opened)(model, batch, threads)


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Returns the result of a job."""
    score = _opened(str(job["model"]), int(job["batch"]), int(job["threads"]))
    sequence = Sequence(job, score)
    memory = Memory(int(job["memory"]))
    started = time.perf_counter()
    pruned = sequence.prune(float(job["tolerance"]))
    seconds = time.perf_counter() - started
    rows_pruning, calls_pruning = score.rows, score.calls
    levels = [str(name) for name in job["levels"]]
    runs = [explain(sequence, levels, int(seed)) for seed in job["seeds"]]
    return {
        "pruned_events": pruned,
        "seconds_pruning": seconds,
        "rows": score.rows,
        "calls": score.calls,
        "rows_pruning": rows_pruning,
        "calls_pruning": calls_pruning,
        "peak_mb": memory.taken_mb(),
        **{name: np.stack([run[name] for run in runs]) for name in runs[0]},
    }


if __name__ == "__main__":
    with np.load(sys.argv[1]) as archive:
        job = dict(archive)
    np.savez(sys.argv[2], **run(job))
