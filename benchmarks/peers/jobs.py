"""Hand a job to a peer, run it in the peer's environment, and take its numbers back."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[2]

Floats = npt.NDArray[np.float64]


class PeerFailed(RuntimeError):
    """A peer, or the making of its environment, ended with an error; a peer's last lines are in the message."""


@dataclass(frozen=True, slots=True)
class TimeShapResult:
    """timeshap's answer for s seeds: (s, unpruned) events from t = 0 back, (s, d) features, (s) for P."""

    pruned_events: int
    seconds_pruning: float
    events: Floats
    events_pruned: Floats
    events_seconds: Floats
    features: Floats
    features_pruned: Floats
    features_seconds: Floats


@dataclass(frozen=True, slots=True)
class ShapResult:
    """KernelExplainer's answer: attributions (budgets, seeds, players), seconds (budgets, seeds)."""

    attributions: Floats
    seconds: Floats


def run_timeshap(
    model: Path,
    sequence: Floats,
    background: Floats,
    *,
    tolerance: float,
    nsamples: int,
    seeds: Sequence[int],
) -> TimeShapResult:
    """Prune (l, d) once, then both levels for every seed. Raises PeerFailed."""
    job = {
        "model": str(model.resolve()),
        "sequence": sequence,
        "background": np.atleast_2d(background),
        "tolerance": tolerance,
        "nsamples": nsamples,
        "seeds": np.array(seeds),
        "levels": np.array(["events", "features"]),
    }
    result = _run("timeshap", job)
    cut, seconds = int(result.pop("pruned_events")), float(result.pop("seconds_pruning"))
    return TimeShapResult(pruned_events=cut, seconds_pruning=seconds, **result)


def run_shap(
    model: Path,
    sequence: Floats,
    background: Floats,
    players: npt.NDArray[np.int64],
    *,
    budgets: Sequence[int],
    seeds: Sequence[int],
) -> ShapResult:
    """Play the game that `players` (l, d), the owner of each cell, lays over it. Raises PeerFailed."""
    job = {
        "model": str(model.resolve()),
        "sequence": sequence,
        "background": np.atleast_2d(background),
        "players": players,
        "budgets": np.array(budgets),
        "seeds": np.array(seeds),
    }
    return ShapResult(**_run("shap", job))


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
