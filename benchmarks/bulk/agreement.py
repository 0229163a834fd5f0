"""Compares the bulk explanations with timeshap's of the same accounts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sequela_client import StopReason

from benchmarks.peers.jobs import CohortResult, Floats


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two explainers agree.

    Args:
        sequences: how many accounts both explained.
        same_cuts: for how many of them both pruned the same events.
        exact: how many of those have an exact event level.
        latest: the largest difference of the attribution of t = 0 over the exact ones; it is 0 but for rounding.
        features: the root mean square difference of the features over those with the same cut. They are sampled.
    """

    sequences: int
    same_cuts: int
    exact: int
    latest: float
    features: float


def agreement(cohort: Path, peer: CohortResult) -> Agreement:
    """Compares the first rows of a cohort with timeshap's result."""
    count = len(peer.latest)
    parts = sorted(cohort.glob("part-*.parquet"))
    rows = [row for part in parts for row in pq.read_table(part).to_pylist()][:count]
    cuts = np.array([row["pruned_events"] for row in rows])
    latest = np.array([next(each["value"] for each in row["events"] if each["t"] == 0) for row in rows])
    features = np.array([[each["value"] for each in row["features"]] for row in rows])
    same = cuts == peer.pruned_events
    exact = same & [row["quality"]["event"]["stop_reason"] == StopReason.EXACT.value for row in rows]
    difference = np.abs(latest - peer.latest)[exact]
    apart = _root_mean_square(features - peer.features, same)
    return Agreement(count, int(same.sum()), int(exact.sum()), _largest(difference), apart)


def _largest(values: Floats) -> float:
    return float(values.max()) if len(values) else float("nan")


def _root_mean_square(differences: Floats, chosen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    return float(np.sqrt(np.mean(differences[chosen] ** 2))) if chosen.any() else float("nan")
