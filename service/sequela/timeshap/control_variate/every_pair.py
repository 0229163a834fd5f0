"""A sum of the kernel's sections (sections.py) at a large part of all coalitions of a game with few players.

The players are split into two halves. Let a and a' be the parts of Σ λ_i z_i z'_i that belong to them. Then

    sinh(a + a') = sinh a cosh a' + cosh a sinh a'

and a half of k players has only 2^k different a for each section. So a product of two small matrices has the sum at
every coalition, without an exponential for each coalition and section. The sum is odd, so coalitions with the first
player are enough.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.sections import SectionSum
from sequela.timeshap.sample_design import JobRunner

MAX_PLAYERS = 20
"""The most players. The matrices of more would need much memory."""
WORTH = 32
"""How many coalitions the whole game may have for each pair that is needed, divided by the number of targets. With 18
players, summing at one pair by itself took as long as summing at 35 of all coalitions.
"""
BLOCK_PATTERNS = 32
"""How many coalitions of the first half are summed at once, with all of the second half."""


def worth_summing_all(players: int, pairs: int, targets: int) -> bool:
    """Returns whether it takes less time to sum at all coalitions than at these pairs only."""
    return 2 <= players <= MAX_PLAYERS and targets << players <= WORTH * pairs


def at_every_pair(mean: SectionSum, signs: NDArray[np.float32], run_jobs: JobRunner) -> NDArray[np.float64]:
    """Returns the sum at coalitions z (p, m), as `mean.at` does, (p, targets)."""
    players = signs.shape[1]
    half = players // 2
    rates, known = mean.sections.kernel.rates.astype(np.float32), mean.sections.signs
    rated = known * rates
    sinh, cosh = _doubled(_patterns(half)[1 << half - 1 :] @ rated[:, :half].T)
    others_sinh, others_cosh = _doubled(_patterns(players - half) @ rated[:, half:].T)
    first, second = np.hstack([sinh, cosh]), np.hstack([others_cosh, others_sinh]).T
    scale = np.maximum(np.abs(mean.weights).max(axis=0), np.finfo(np.float64).tiny)
    weights = np.tile((mean.weights / scale).astype(np.float32), (2, 1)).T

    def block(start: int) -> NDArray[np.float32]:
        rows = first[start : start + BLOCK_PATTERNS]
        return np.stack([(rows * each) @ second for each in weights], axis=2)

    blocks = run_jobs(partial(block, start) for start in range(0, len(first), BLOCK_PATTERNS))
    every = np.concatenate(list(blocks)).reshape(-1, len(scale))
    # The product is that of doubled functions, so it is twice the doubled sinh of the sum.
    factor = scale / (4 * np.sinh(mean.sections.kernel.bound))
    near = every[_numbers(signs)] * factor
    return np.asarray(signs[:, :1] * near + signs @ mean.own)


def _patterns(players: int) -> NDArray[np.float32]:
    """Returns all coalitions of some players as signs, with the first player in the second half of them, (2^k, k)."""
    present = np.arange(1 << players)[:, None] >> np.arange(players)[::-1] & 1
    return (2 * present - 1).astype(np.float32)


def _numbers(signs: NDArray[np.float32]) -> NDArray[np.intp]:
    """Returns the numbers of coalitions among all with the first player, or those of their complements, (p,)."""
    with_first = signs[:, 1:] * signs[:, :1]
    # Numbers below 2^20 are exact in single precision.
    powers = np.ldexp(np.float32(1), np.arange(signs.shape[1] - 1)[::-1])
    return (((with_first + 1) / 2) @ powers.astype(np.float32)).astype(np.intp)


def _doubled(sums: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns 2 sinh and 2 cosh."""
    up = np.exp(sums)
    down = np.reciprocal(up)
    return up - down, up + down
