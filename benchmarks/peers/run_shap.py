"""Computes a game of masked players with shap's KernelExplainer. It is run by the Python of shap's environment.

    python -m benchmarks.peers.run_shap job.npz result.npz

Job: model (the path of an ONNX file), sequence (l, d), background (1, d) or (l, d), players (l, d) with the owner of
each cell (0 … m - 1), budgets (b) in coalitions including the empty and the full one, seeds (s), memory (the limit on
address space in bytes; 0: none).

Result: attributions (b, s, m), seconds (b, s), the number of rows of the model, peak_mb. `l1_reg=False`, because the
default keeps only ten players.
"""

import sys
import time
from typing import Any

import numpy as np
import shap

from benchmarks.peers.masked_game import masked_game
from benchmarks.peers.memory import Memory
from benchmarks.peers.scorer import Scorer


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Returns the result of a job."""
    players = int(job["players"].max()) + 1
    budgets, seeds = job["budgets"], job["seeds"]
    score = Scorer(str(job["model"]), threads=0)
    memory = Memory(int(job["memory"]))
    explainer = shap.KernelExplainer(masked_game(job, score), np.zeros((1, players)))
    attributions = np.empty((len(budgets), len(seeds), players))
    seconds = np.empty((len(budgets), len(seeds)))
    for i, budget in enumerate(budgets):
        for j, seed in enumerate(seeds):
            np.random.seed(int(seed))  # KernelExplainer draws from the global state and takes no seed
            started = time.perf_counter()
            # shap does not count the empty and the full coalition.
            attributions[i, j] = explainer.shap_values(
                np.ones(players), nsamples=int(budget) - 2, l1_reg=False, silent=True
            )
            seconds[i, j] = time.perf_counter() - started
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
