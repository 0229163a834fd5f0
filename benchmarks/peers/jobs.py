"""Hand a job to a peer, run it in the peer's environment, and take its numbers back."""

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
    """A peer, or the making of its environment, ended with an error; a peer's last lines are in the message."""


@dataclass(frozen=True, slots=True)
class Calls:
    """How a peer's model is called: rows at a time, threads (0: one for each core)."""

    batch: int
    threads: int


FAVOURABLE = Calls(CACHED, 1)
"""Batches that stay in the cache."""
BATCHED = Calls(CACHED, 0)
"""Such batches, by all cores."""
AS_GIVEN = Calls(AT_ONCE, 0)
"""All rows that the peer hands over, in one call, as ONNX Runtime runs by default."""


@dataclass(frozen=True, slots=True)
class TimeShapResult:
    """timeshap's answer for s seeds: (s, unpruned) events from t = 0 back, (s, d) features, (s, k) cells with their
    names `event|feature`, (s) for P. Cells are empty where they were not asked for.
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
        """Pruning and all levels, (s)."""
        levels: Floats = self.events_seconds + self.features_seconds + self.cells_seconds
        return self.seconds_pruning + levels


@dataclass(frozen=True, slots=True)
class GameResult:
    """The attributions of a game of masked players (budgets, seeds, players), seconds (budgets, seeds)."""

    attributions: Floats
    seconds: Floats
    rows: int
    peak_mb: float


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
    """Prune (l, d) once, then the levels for every seed; `top` events and features make the cells. From states
    where the model takes and gives them; a str is the URI of a served one. Raises PeerFailed, also where it wants more
    bytes than `memory` (0: any).
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
    """Play the game that `players` (l, d), the owner of each cell, lays over it. Raises PeerFailed, also where it
    wants more bytes than `memory` (0: any).
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


def _plain(result: dict[str, Any], **kinds: type) -> dict[str, Any]:
    """What is one number becomes one."""
    return result | {name: kind(result[name]) for name, kind in kinds.items()}


def _run(peer: str, job: dict[str, Any]) -> dict[str, Any]:
    python = _environment(peer)
    with tempfile.TemporaryDirectory(prefix="sequela-peer-") as folder:
        asked, answered = Path(folder) / "job.npz", Path(folder) / "result.npz"
        np.savez(asked, **job)
        # -E: what our Python finds through the environment is not for theirs.
        _run_to_end(
            [python, "-E", "-W", "ignore", "-m", f"benchmarks.peers.run_{peer}", str(asked), str(answered)]
        )
        with np.load(answered) as archive:
            return dict(archive)


def _environment(peer: str) -> str:
    """The peer's Python; what is still to be installed is told on stderr as it goes."""
    command = [sys.executable, str(ROOT / "scripts" / "peer_env.py"), peer]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        raise PeerFailed(f"scripts/peer_env.py {peer} ended with {made.returncode}")
    return made.stdout.strip().splitlines()[-1]


def _run_to_end(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerFailed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
