"""Fewer rows for the same error: a Gaussian process predicts the game, and the base estimator solves what is left.

Worth it where rows cost more than solving (`solving_seconds`). The same sample gives three things:

1. Base attributions (solving.py), from which the process's kernel is chosen (kernel_choice.py).
2. The attributions of the process's mean (odd_process.py), plus those of its residuals by the base estimator: the sum
   is additive exactly. A process that goes through its data can be biased for single players, and its residuals do not
   show it. Its left-out errors e (what it would have missed, had a pair not been known) do: d, the base estimator's
   attributions of (1 - k_s/N_s) e, is what the process's values lack, up to the noise of e. Half of it is added: all
   of it would take away the bias and bring in all of the noise.
3. Error bars, from left-out errors, never from residuals. Three are formed:
   A  the base estimator's stratified variance of e, as if e were the game, and beside it d/2, which may still be bias:
      √(A² + d²/4);
   B  the jackknife's: √Σ_s (1 - k_s/N_s) Σ_{p∈s} (C_p e_p)², C_p the weight of pair p in the attributions;
   C  the process's own deviation, scaled by e, and by (1 - m/p)^-¼ for the m own effects found from p pairs, as in the
      base estimator's (1 - h)^-¾.
   The bar is the widest of the three. A alone is a tenth too narrow in games of 12-14 players, B alone at 4m
   coalitions, C alone in games of votes. Without d, and with min(1.1 A, max(B, C)), bars held on average over players
   (95-96 %) and failed single ones: the largest company of an airport of 30 in two of three samples, the strongest
   event of a recurrent network in as many at 128 coalitions. Averaging over processes that leave each pair out, which
   would have no bias, gave larger errors.

Found over additive, sparse and heavy-tailed games, votes, airports, unanimity, redundant players, random networks, and
a recurrent network's events, features and cells, of 14 and 30 players: at 512 coalitions the errors are 0.09-0.95 of
the base estimator's (events 0.34-0.45); at 128 the bars leave most targets to the base estimator. Every single player's
95 % interval covers as often as the base estimator's, and those of the three largest in 90 % of samples and more; at
4m coalitions of 46 events in 89 %, as the base estimator's own do.

A target is given whichever has the smaller error bars: the process on its part of the sample, or the base estimator on
all of it. A game that was enumerated, or has too many players for the process, is left to the base estimator.

Efficiency is exact, and so are games without interactions. Symmetry, dummies and linearity hold approximately only: the
kernel is fitted to the game.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import Pairs, Stratum, allocation
from sequela.timeshap.control_variate.gaussian_process import OddProcess
from sequela.timeshap.control_variate.kernel_choice import FINE, KERNELS, ROUGH, STEPS, likeliest, tuned
from sequela.timeshap.control_variate.odd_kernel import OddKernel
from sequela.timeshap.regression import Share, Solution, in_turn, solve

MOST_PAIRS = 2048
"""Of a larger sample the process is given so many: time grows with the cube of the pairs, memory with the square."""
MOST_PLAYERS = 512
"""Games of more players are left to the base estimator."""
SPEED = 5e9
"""Multiply-adds a second that solving reaches at least: deadlines count on it."""

OVERHEAD = 1e-3
"""Seconds that a process takes besides, however small."""


def solve_with_variate(
    sampler: Pairs,
    layers: Sequence[Stratum],
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    share: Share = in_turn,
) -> Solution:
    """Solves a game of m ≥ 2 players; arguments and result as of `solving.solve`."""
    base = solve(sampler, layers, odd, gain, share)
    unsure = np.asarray(base.errors.any(axis=0))
    if not unsure.any() or not worth_trying(sampler.players, sum(map(len, odd))):
        return base
    # Designs are nested: what a smaller one would have drawn comes first in each stratum.
    counts = allocation(sampler.players, 2 * MOST_PAIRS + 2)
    known = [rows[:count, unsure] for rows, count in zip(odd, counts, strict=True)]
    sample = _Sample(sampler, layers, known, gain[unsure])
    variate = sample.solved(sample.kernel(base.values[:, unsure], share), share)
    return _surer(base, unsure, variate)


def worth_trying(players: int, pairs: int) -> bool:
    """Whether a sample is large enough for the process to say anything, and the players are not too many."""
    return players < min(pairs, MOST_PAIRS) and players <= MOST_PLAYERS


def solving_seconds(players: int, pairs: int) -> float:
    """What it takes at most to solve, on one thread, beyond one solution by the base estimator."""
    if not worth_trying(players, pairs):
        return 0.0
    pairs = min(pairs, MOST_PAIRS)
    choosing = KERNELS * min(pairs, ROUGH + players) ** 3 + 4 * STEPS * min(pairs, FINE + players) ** 3
    twice_more = 4 * (pairs + players) * players**2
    work = choosing + pairs**3 + 4 * players * pairs**2 + players**3 + twice_more
    return work / SPEED + (KERNELS + STEPS + 1) * OVERHEAD


def _surer(base: Solution, unsure: NDArray[np.bool_], variate: Solution) -> Solution:
    """Of the unsure targets, those of the variate whose error bars are smaller; of the rest the base's."""
    better = np.square(variate.errors).sum(axis=0) < np.square(base.errors[:, unsure]).sum(axis=0)
    taken = np.flatnonzero(unsure)[better]
    values, errors = base.values.copy(), base.errors.copy()
    values[:, taken], errors[:, taken] = variate.values[:, better], variate.errors[:, better]
    return Solution(values, errors)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """As the arguments of `solve`."""

    sampler: Pairs
    layers: Sequence[Stratum]
    odd: Sequence[NDArray[np.float64]]
    gain: NDArray[np.float64]

    @property
    def counts(self) -> list[int]:
        """Pairs known by stratum, k_s."""
        return [len(odd) for odd in self.odd]

    def process(self, counts: Sequence[int], kernel: OddKernel) -> OddProcess:
        """Given the first pairs of every stratum, and before them the coalition of all players."""
        named = [self.sampler.pairs(stratum, 0, count) for stratum, count in enumerate(counts)]
        everyone = np.ones((1, self.sampler.players), dtype=bool)
        signs = np.where(np.concatenate([everyone, *named]), 1.0, -1.0)
        known = [odd[:count] for odd, count in zip(self.odd, counts, strict=True)]
        return OddProcess(kernel, signs, np.concatenate([self.gain[None] / 2, *known], dtype=np.float64))

    def first(self, pairs: int) -> list[int]:
        """About the first so many pairs, of every stratum its share."""
        total = sum(self.counts)
        return [min(count, -(-count * pairs // total)) for count in self.counts]

    def kernel(self, attributions: NDArray[np.float64], share: Share) -> OddKernel:
        """The one that suits the sample, given its base attributions."""
        rough = likeliest(attributions, partial(self.process, self.first(ROUGH)), share)
        return tuned(rough, partial(self.process, self.first(FINE)))

    def solved(self, kernel: OddKernel, share: Share) -> Solution:
        """With the process as control variate."""
        process = self.process(self.counts, kernel)
        left = process.residuals
        corrected = solve(self.sampler, self.layers, self._by_stratum(left), 2 * left[0], share)
        noise, lacking = self._left_out(process, share)
        # The mean's own attributions add up to twice its value for all players; centring removes what rounding leaves.
        explained = process.attributions
        explained = explained + (self.gain - 2 * left[0] - explained.sum(axis=0)) / len(explained)
        return Solution(explained + corrected.values + lacking / 2, self._errors(process, noise, lacking))

    def _left_out(self, process: OddProcess, share: Share) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The base estimator's error bars of e (A), and its attributions d of what e says of the unknown pairs; each
        (m, targets). Both add nothing up: e is known to be 0 for all players together.
        """
        targets = len(self.gain)
        both = np.hstack([process.left_out, process.left_out * np.append(0.0, self._unknown)[:, None]])
        solved = solve(self.sampler, self.layers, self._by_stratum(both), np.zeros(2 * targets), share)
        return solved.errors[:, :targets], solved.values[:, targets:]

    def _errors(
        self, process: OddProcess, noise: NDArray[np.float64], lacking: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The error bars, (m, targets)."""
        squares = np.square(process.left_out[1:]) * self._unknown[:, None]
        jackknife = np.sqrt(np.square(process.pulls[1:]).T @ squares)
        spent = 1 - self.sampler.players / sum(self.counts)
        own = np.sqrt(process.variances(slice(1, None))) / spent**0.25
        return np.asarray(np.maximum.reduce([np.hypot(noise, lacking / 2), jackknife, own]))

    @property
    def _unknown(self) -> NDArray[np.float64]:
        """1 - k_s/N_s for every pair, (pairs,)."""
        shares = [1 - k / layer.total for k, layer in zip(self.counts, self.layers, strict=True)]
        return np.repeat(shares, self.counts)

    def _by_stratum(self, rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Rows of the process, but for all players' own, as they are sampled."""
        return np.split(rows[1:], np.cumsum(self.counts)[:-1])
