"""Explain one sequence with timeshap 1.0.4; run by the Python of its environment, not ours.

    python -m benchmarks.peers.run_timeshap job.npz result.npz

Job: model (path of an ONNX file), sequence (l, d), background (1, d) or (l, d), tolerance, nsamples, seeds
(s), levels (any of "events", "features"). The cut does not depend on the seed: it is found once.

Result: pruned_events; seconds_pruning; for each level (s, players) attributions in `events` (t = 0, -1, ...)
or `features`, that of the pruned block (s) in `events_pruned` or `features_pruned` (nan where nothing is
pruned), and seconds (s) in `events_seconds` or `features_seconds`.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from timeshap.explainer import local_event, local_feat, local_pruning

from benchmarks.peers.scoring import Scorer

PRUNED = "Pruned Events"  # timeshap's name for the pruned block's row

Level = Callable[[int], pd.DataFrame]


def split_pruned(table: pd.DataFrame) -> tuple[npt.NDArray[np.float64], float]:
    """The attributions of all other players, in timeshap's order, and that of the pruned block."""
    values = table["Shapley Value"].to_numpy(dtype=np.float64)
    pruned = (table["Feature"] == PRUNED).to_numpy()
    return values[~pruned], values[pruned].item() if pruned.any() else float("nan")


def explain_seeds(level: Level, seeds: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float64]]:
    """The level once per seed."""
    attributions, blocks, seconds = [], [], []
    for seed in seeds:
        started = time.perf_counter()
        table = level(int(seed))
        seconds.append(time.perf_counter() - started)
        others, block = split_pruned(table)
        attributions.append(others)
        blocks.append(block)
    return {"": np.stack(attributions), "_pruned": np.array(blocks), "_seconds": np.array(seconds)}


def run(job: dict[str, Any]) -> dict[str, Any]:
    """The result of a job."""
    score = Scorer(str(job["model"]))
    sequence = job["sequence"][np.newaxis].astype(np.float64)
    background = job["background"].astype(np.float64)
    nsamples = int(job["nsamples"])

    started = time.perf_counter()
    _, index = local_pruning(score, sequence, {"tol": float(job["tolerance"])}, background)
    result: dict[str, Any] = {"seconds_pruning": time.perf_counter() - started}
    cut = sequence.shape[1] + index  # the index counts back from the end: -20 keeps 20 events
    result["pruned_events"] = cut

    def events(seed: int) -> pd.DataFrame:
        return local_event(score, sequence, {"rs": seed, "nsamples": nsamples}, None, None, background, cut)

    def features(seed: int) -> pd.DataFrame:
        names = [str(column) for column in range(sequence.shape[2])]
        options = {"rs": seed, "nsamples": nsamples, "feature_names": names}
        return local_feat(score, sequence, options, None, None, background, cut)

    for name in job["levels"]:
        level = {"events": events, "features": features}[str(name)]
        result |= {f"{name}{part}": values for part, values in explain_seeds(level, job["seeds"]).items()}
    return result


if __name__ == "__main__":
    with np.load(sys.argv[1]) as archive:
        job = dict(archive)
    np.savez(sys.argv[2], **run(job))
