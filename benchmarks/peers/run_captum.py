"""Computes a game of masked players with captum's KernelShap. It is run by the Python of captum's environment.

    python -m benchmarks.peers.run_captum job.npz result.npz

Job and result are those of run_shap. captum draws its coalitions with replacement, apart from the empty and the full
one. It gets 256 of them a call, which is a good batch size for the model.
"""

import sys
import time
from typing import Any

import numpy as np
import torch
from captum.attr import KernelShap

from benchmarks.peers.masked_game import ROWS, masked_game
from benchmarks.peers.memory import Memory
from benchmarks.peers.scorer import Scorer


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Returns the result of a job."""
    players = int(job["players"].max()) + 1
    score = Scorer(str(job["model"]), threads=0)
    value = masked_game(job, score)
    memory = Memory(int(job["memory"]))
    explainer = KernelShap(lambda coalitions: torch.from_numpy(value(coalitions.numpy())))
    budgets, seeds = job["budgets"], job["seeds"]
    attributions = np.empty((len(budgets), len(seeds), players))
    seconds = np.empty((len(budgets), len(seeds)))
    for i, budget in enumerate(budgets):
        for j, seed in enumerate(seeds):
            torch.manual_seed(int(seed))
            np.random.seed(int(seed))
            started = time.perf_counter()
            found = explainer.attribute(
                torch.ones(1, players), n_samples=int(budget), perturbations_per_eval=ROWS
            )
            seconds[i, j] = time.perf_counter() - started
            attributions[i, j] = found.numpy()[0]
    return {
        "attributions": attributions,
        "seconds": seconds,
        "rows": score.rows,
        "peak_mb": memory.taken_mb(),
    }


if __name__ == "__main__":
    with np.load(sys.argv[1]) as archive:
        job = dict(archive)
    np.savez(sys.argv[2], **run(job))
