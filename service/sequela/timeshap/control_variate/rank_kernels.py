"""Kernels that are chosen before any value is known: only the rank of a player decides how strongly it interacts.

The players' rough attributions order them: what a player adds to the empty coalition and to all others, on average.
They come from stratum 1, which every sample contains completely, so the order needs no additional rows. The player of
rank r then has ρ_r = 0.6 √(δ^r), and δ is such that (Σ δ^r)²/Σ δ^2r, the effective number of players, is a fixed
number.

So a kernel depends on the number of players only, and everything about the process can be kept (process_design.py). The
order depends on values, but not on those of the pairs that are drawn, and by symmetry any order of the players leaves
the drawn pairs as random as they were.

The numbers were chosen once, among 18 kernels, on features, cells and events of recurrent networks, Transformers and
convolutions (13-46 players, 512 to 2,048 coalitions). Two kernels, of which each target takes the one with the smaller
error bars, did nearly as well as all 18. docs/benchmarks.md (`--only estimators`) has their errors beside those of the
base estimator and of kernels that are fitted to the game.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.odd_kernel import OddKernel

EFFECTIVE_PLAYERS = (5.0, 12.0)
"""The effective number of players of each kernel."""
REACH = 0.6
"""ρ of the strongest player."""
LEAST_SHARE = 1e-3
"""Lower bound for δ^r, because a player without attribution may still interact."""
STEPS_PER_OCTAVE = 8
"""Rough attributions are compared in steps of about 9 % (2^(1/8)). Within a step, players keep their order."""
SPARE_PLAYERS = 0.01
"""The effective number of players stays below the number of players by this much at least."""
BISECTIONS = 60
"""Steps in which δ is found, each of which halves the interval."""


@lru_cache(maxsize=1024)
def rank_kernel(players: int, effective_players: float) -> OddKernel:
    """Returns the kernel for players in the order of their ranks, strongest first."""
    ranks = np.arange(players)
    target = min(effective_players, players - SPARE_PLAYERS)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        shares = middle**ranks
        low, high = (middle, high) if shares.sum() ** 2 < target * (shares**2).sum() else (low, middle)
    return OddKernel(REACH * np.sqrt(np.maximum(low**ranks, LEAST_SHARE)))


def ranking(singles: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.intp]:
    """Returns the players by their rough attributions, strongest first, (m,).

    Args:
        singles: The odd part of each player alone, (m, targets). The rough attribution is this plus Δ/2.
        gain: Δ, (targets,).
    """
    rough = np.abs(singles + gain / 2)
    # All targets share one order, so each counts relative to its strongest player.
    shares = (rough / np.maximum(rough.max(axis=0), np.finfo(float).tiny)).mean(axis=1)
    # Players that are alike must not change places by the last bits of a model's outputs.
    shares /= max(shares.max(), np.finfo(float).tiny)
    steps = np.round(STEPS_PER_OCTAVE * np.log2(np.maximum(shares, LEAST_SHARE)))
    return np.argsort(-steps, kind="stable")
