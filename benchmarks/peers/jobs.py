"""Runs jobs with other explainers ("peers"), each in its own environment, and reads their results."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.peers.scorer import AT_ONCE, CACHED

ROOT = Path(__file__).resolve().parents[2]

Floats = npt.NDArray[np.float64]
Level = Literal["events", "features", "cells"]


class PeerFailed(RuntimeError):
    """A peer ended with an error, or its environment could not be made. The message has the last lines of the peer's
    output.
    """


@dataclass(frozen=True, slots=True)
class Calls:
    """How a peer's model is called: the rows of a call, and the number of threads (0: one for each core)."""

    batch: int
    threads: int


FAVOURABLE = Calls(CACHED, 1)
"""Batches that fit into the processor's cache, one after another."""
BATCHED = Calls(CACHED, 0)
"""Batches that fit into the processor's cache, on all cores."""
AS_GIVEN = Calls(AT_ONCE, 0)
"""All rows that the peer passes, in a single call, on all cores."""


@dataclass(frozen=True, slots=True)
class TimeShapResult:
    """The attributions of timeshap for s seeds.

    Events are (s, unpruned), from t = 0 back. Features are (s, d). Cells are (s, k), with names of the form
    `event|feature`; they are empty if they were not requested. P is (s).
    """

    pruned_events: int
    seconds_pruning: float
    rows: int
    calls: int
    rows_pruning: int
    calls_pruning: int
    peak_mb: float
    events: Floats
    events_pruned: Floats
    events_seconds: Floats
    features: Floats
    features_pruned: Floats
    features_seconds: Floats
    cells: Floats
    cells_pruned: Floats
    cells_seconds: Floats
    cells_names: npt.NDArray[np.str_]

    @property
    def seconds(self) -> Floats:
        """The seconds of pruning and all levels, (s)."""
        levels: Floats = self.events_seconds + self.features_seconds + self.cells_seconds
        return self.seconds_pruning + levels


@dataclass(frozen=True, slots=True)
class GameResult:
    """The attributions of a game of masked players, (budgets, seeds, players), and the seconds, (budgets, seeds)."""

    attributions: Floats
    seconds: Floats
    rows: int
    peak_mb: float


@dataclass(frozen=True, slots=True)
class CohortResult:
    """The global report of timeshap over k sequences of d features.

    Args:
        seconds: the time of the whole report.
        pruned_events: how many events of each sequence were pruned, (k).
        latest: the attribution of t = 0, (k).
        features: the attributions of the features, (k, d).
    """

    seconds: float
    pruned_events: npt.NDArray[np.int64]
    latest: Floats
    features: Floats


def run_timeshap(
    model: Path | str,
    sequence: Floats,
    background: Floats,
    *,
    tolerance: float,
    nsamples: int,
    seeds: Sequence[int],
    levels: Sequence[Level] = ("events", "features"),
    top: int = 3,
    calls: Calls = FAVOURABLE,
    memory: int = 0,
) -> TimeShapResult:
    """Prunes the sequence (l, d) once, and computes the levels for each seed.

    The cells are those of the `top` strongest events and features. Hidden states are used if the model takes and
    returns them. If `model` is a str, it is the URI of a served model. Raises PeerFailed if the peer fails or needs
    more than `memory` bytes (0: no limit).
    """
    job = {
        "model": str(model.resolve()) if isinstance(model, Path) else model,
        "sequence": sequence,
        "background": np.atleast_2d(background),
        "tolerance": tolerance,
        "nsamples": nsamples,
        "seeds": np.array(seeds),
        "levels": np.array(levels),
        "top": top,
        "batch": calls.batch,
        "threads": calls.threads,
        "memory": memory,
    }
    none = np.zeros((len(seeds), 0))
    absent = {
        "cells": none,
        "cells_pruned": np.full(len(seeds), np.nan),
        "cells_seconds": np.zeros(len(seeds)),
    }
    result = absent | {"cells_names": none.astype(str)} | _run("timeshap", job)
    counts = dict.fromkeys(("pruned_events", "rows", "calls", "rows_pruning", "calls_pruning"), int)
    return TimeShapResult(**_plain(result, seconds_pruning=float, peak_mb=float, **counts))


def run_game(
    peer: Literal["shap", "captum"],
    model: Path,
    sequence: Floats,
    background: Floats,
    players: npt.NDArray[np.int64],
    *,
    budgets: Sequence[int],
    seeds: Sequence[int],
    memory: int = 0,
) -> GameResult:
    """Computes the attributions of a game; `players` (l, d) has the player that owns each cell.

    Raises PeerFailed if the peer fails or needs more than `memory` bytes (0: no limit).
    """
    job = {
        "model": str(model.resolve()),
        "sequence": sequence,
        "background": np.atleast_2d(background),
        "players": players,
        "budgets": np.array(budgets),
        "seeds": np.array(seeds),
        "memory": memory,
    }
    return GameResult(**_plain(_run(peer, job), rows=int, peak_mb=float))


def run_timeshap_cohort(
    model: Path,
    sequences: Sequence[Floats],
    background: Floats,
    *,
    tolerance: float,
    nsamples: int,
    seed: int,
    calls: Calls = BATCHED,
) -> CohortResult:
    """Runs timeshap's global report over many sequences (l, d). Raises PeerFailed if it fails."""
    job = {
        "model": str(model.resolve()),
        "events": np.concatenate(sequences),
        "lengths": np.array([len(each) for each in sequences]),
        "background": np.atleast_2d(background),
        "tolerance": tolerance,
        "nsamples": nsamples,
        "seed": seed,
        "batch": calls.batch,
        "threads": calls.threads,
    }
    return CohortResult(**_plain(_run("timeshap", job, script="timeshap_cohort"), seconds=float))


def _plain(result: dict[str, Any], **kinds: type) -> dict[str, Any]:
    """Converts those arrays of a result that have a single number to that number."""
    return result | {name: kind(result[name]) for name, kind in kinds.items()}


def _run(peer: str, job: dict[str, Any], script: str = "") -> dict[str, Any]:
    python, module = environment(peer), f"benchmarks.peers.run_{script or peer}"
    with tempfile.TemporaryDirectory(prefix="sequela-peer-") as folder:
        asked, answered = Path(folder) / "job.npz", Path(folder) / "result.npz"
        np.savez(asked, **job)
        # -E: environment variables that our Python uses must not affect the peer's.
        _run_to_end([python, "-E", "-W", "ignore", "-m", module, str(asked), str(answered)])
        with np.load(answered) as archive:
            return dict(archive)


def environment(peer: str) -> str:
    """Returns the Python of the peer's environment. Progress of an installation goes to standard error."""
    command = [sys.executable, str(ROOT / "scripts" / "peer_env.py"), peer]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        raise PeerFailed(f"scripts/peer_env.py {peer} ended with {made.returncode}")
    return made.stdout.strip().splitlines()[-1]


def _run_to_end(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerFailed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
