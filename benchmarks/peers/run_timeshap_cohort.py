"""Explains many sequences with the global report of timeshap 1.0.4. It is run by the Python of timeshap's environment.

    python -m benchmarks.peers.run_timeshap_cohort job.npz result.npz

Job: model (the path of an ONNX file), batch and threads of a model call, events (N, d) of all sequences one after
another, lengths (k) of the sequences, background (1, d), tolerance, nsamples, seed.

Result: seconds of the whole report, without imports and without loading the model; pruned_events (k); the attributions
of t = 0 (k) in `latest`, and those of the features (k, d) in `features`, which show that the same was computed.
"""

import contextlib
import os
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from timeshap.explainer import calc_global_explanations

from benchmarks.peers.scorer import opened

PRUNED = "Pruned Events"


def table(job: dict[str, Any]) -> pd.DataFrame:
    """All events in the long format that timeshap takes: a column for each feature, the entity, and the time."""
    names = columns(job)
    lengths = job["lengths"]
    events = pd.DataFrame(job["events"].astype(np.float64), columns=names)
    events["entity"] = np.repeat(np.arange(len(lengths)), lengths)
    events["time"] = np.concatenate([np.arange(length) for length in lengths])
    return events


def columns(job: dict[str, Any]) -> list[str]:
    """The names of the features."""
    return [f"f{column}" for column in range(job["events"].shape[1])]


def run(job: dict[str, Any]) -> dict[str, Any]:
    """The result of a job."""
    score = opened(str(job["model"]), int(job["batch"]), int(job["threads"]))
    names, data = columns(job), table(job)
    seed, nsamples = int(job["seed"]), int(job["nsamples"])
    started = time.perf_counter()
    # It prints its progress, which nobody reads.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        pruning, events, features = calc_global_explanations(
            score,
            data,
            {"tol": float(job["tolerance"])},
            {"rs": seed, "nsamples": nsamples},
            {"rs": seed, "nsamples": nsamples, "feature_names": names},
            baseline=pd.DataFrame(job["background"].astype(np.float64), columns=names),
            model_features=names,
            schema=list(data.columns),
            entity_col="entity",
            time_col="time",
        )
    seconds = time.perf_counter() - started
    return {"seconds": seconds, **numbers(job, pruning, events, features)}


def numbers(
    job: dict[str, Any], pruning: pd.DataFrame, events: pd.DataFrame, features: pd.DataFrame
) -> dict[str, Any]:
    """The pruned events, the attributions of t = 0 and those of the features, sequence by sequence."""
    kept = pruning[pruning["Tolerance"] == float(job["tolerance"])].set_index("Entity")["Pruning idx"]
    latest = events[events["t (event index)"] == 0].set_index("Entity")["Shapley Value"]
    by_feature = features[features["Feature"] != PRUNED].pivot_table(
        index="Entity", columns="Feature", values="Shapley Value"
    )
    order = range(len(job["lengths"]))
    return {
        "pruned_events": job["lengths"] + kept.loc[order].to_numpy(dtype=np.int64),
        "latest": latest.loc[order].to_numpy(dtype=np.float64),
        "features": by_feature.loc[order, columns(job)].to_numpy(dtype=np.float64),
    }


if __name__ == "__main__":
    with np.load(sys.argv[1]) as archive:
        job = dict(archive)
    np.savez(sys.argv[2], **run(job))
