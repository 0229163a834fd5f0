"""The control variate: a Gaussian process predicts the game, and the base estimator solves the remaining part.

It pays off if rows take longer than solving (`solving_seconds`). Formulas: docs/estimator.md, "The control variate".
From one sample it computes three things:

1. Base attributions (regression.py), from which the process's kernel is chosen (kernel_choice.py).
2. The attributions of the process's mean (gaussian_process.py), plus those of its residuals by the base estimator, so
   that the sum is exactly additive. A process that fits its data closely can be biased for single players, and its
   residuals do not show this. Its left-out errors e do: e is the error that the process would have made at a pair if
   that pair had not been known. Let d be the base estimator's attributions of (1 - k_s/N_s) e: what the process's
   attributions lack, up to the noise of e. Half of d is added, because all of it would remove the bias and bring in all
   of the noise.
3. Error bars, from left-out errors and never from residuals. The bar is the widest of three:
   A  the base estimator's stratified standard error a of e, as if e were the game, together with d/2, which may still
      be bias: √(a² + d²/4);
   B  the jackknife √Σ_s (1 - k_s/N_s) Σ_{p∈s} (C_p e_p)², with C_p the weight of pair p in the attributions;
   C  the process's own deviation, scaled by e, times (1 - m/p)^-¼ for the m own effects that are found from p pairs, as
      the (1 - h)^-¾ of the base estimator.

Why the widest: A alone is a tenth too narrow in games of 12-14 players, B alone at 4m coalitions, C alone in games of
votes. Without d, and with min(1.1 A, max(B, C)), bars held on average over players (95-96 %) and failed single ones:
the largest company of an airport game of 30 in two of three samples, and as often the strongest event of a recurrent
network at 128 coalitions. Averaging over processes that leave each pair out has no bias, but gave larger errors.

Measured over additive, sparse and heavy-tailed games, votes, airports, unanimity, redundant players, random networks,
and a recurrent network's events, features and cells, of 14 and 30 players: at 512 coalitions the errors are 0.09-0.95
of the base estimator's (events 0.34-0.45); at 128 coalitions the bars leave most targets to the base estimator. 95 %
intervals cover every single player as often as the base estimator's do, and the three largest in 90 % of samples or
more; with 4m coalitions of 46 events in 89 %, as those of the base estimator.

Each target is given the solution with the smaller error bars: the process on its part of the sample, or the base
estimator on all of it. Enumerated games, and games with too many players for the process, are left to the base
estimator. Additivity and games without interactions are exact. Symmetry, dummies and linearity hold approximately only,
because the kernel is fitted to the game.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import Stratum, allocation
from sequela.timeshap.control_variate.gaussian_process import OddProcess
from sequela.timeshap.control_variate.kernel_choice import (
    GUESS_PAIRS,
    KERNELS,
    STEPS,
    TUNING_PAIRS,
    likeliest_kernel,
    tune,
)
from sequela.timeshap.control_variate.odd_kernel import OddKernel
from sequela.timeshap.pair_order import Pairs
from sequela.timeshap.regression import JobRunner, Solution, in_turn, solve

MAX_PAIRS = 2048
"""The process uses at most this many pairs of a sample, because time grows with their cube and memory with their
square.
"""
MAX_PLAYERS = 512
"""Games with more players are solved by the base estimator."""
WORK_PER_SECOND = 5e9
"""Minimum speed of solving, in multiply-adds per second. Deadlines rely on it."""
OVERHEAD_SECONDS = 1e-3
"""Fixed time for conditioning a process, in seconds, in addition to its multiply-adds."""


def solve_with_variate(
    sampler: Pairs,
    layers: Sequence[Stratum],
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner = in_turn,
) -> Solution:
    """Solves a game with m >= 2 players. Arguments and result are those of `regression.solve`."""
    base = solve(sampler, layers, odd, gain, run_jobs)
    # The base estimator has already solved targets with a standard error of 0 exactly.
    unsure = np.asarray(base.errors.any(axis=0))
    if not unsure.any() or not worth_trying(sampler.players, sum(map(len, odd))):
        return base
    # Samples are nested, so the pairs of the sample of `MAX_PAIRS` come first in each stratum.
    counts = allocation(sampler.players, 2 * MAX_PAIRS + 2)
    known = [rows[:count, unsure] for rows, count in zip(odd, counts, strict=True)]
    sample = _VariateSample(sampler, layers, known, gain[unsure])
    variate = sample.solution(sample.kernel(base.values[:, unsure], run_jobs), run_jobs)
    return _surer(base, unsure, variate)


def worth_trying(players: int, pairs: int) -> bool:
    """Returns whether there are more pairs than players, and at most `MAX_PLAYERS` players."""
    return players < min(pairs, MAX_PAIRS) and players <= MAX_PLAYERS


def solving_seconds(players: int, pairs: int) -> float:
    """Returns an upper bound, in seconds on one thread, on the time in addition to one base solution."""
    if not worth_trying(players, pairs):
        return 0.0
    pairs = min(pairs, MAX_PAIRS)
    choosing = (
        KERNELS * min(pairs, GUESS_PAIRS + players) ** 3 + 4 * STEPS * min(pairs, TUNING_PAIRS + players) ** 3
    )
    two_base_solutions = 4 * (pairs + players) * players**2
    work = choosing + pairs**3 + 4 * players * pairs**2 + players**3 + two_base_solutions
    return work / WORK_PER_SECOND + (KERNELS + STEPS + 1) * OVERHEAD_SECONDS


def _surer(base: Solution, unsure: NDArray[np.bool_], variate: Solution) -> Solution:
    """Returns, for each target, the solution with the smaller error bars.

    Args:
        base: The base solution for all targets.
        unsure: The targets for which `variate` was solved, (targets,).
        variate: The control variate's solution for these targets, (players, unsure targets).
    """
    better = np.square(variate.errors).sum(axis=0) < np.square(base.errors[:, unsure]).sum(axis=0)
    taken = np.flatnonzero(unsure)[better]
    values, errors = base.values.copy(), base.errors.copy()
    values[:, taken], errors[:, taken] = variate.values[:, better], variate.errors[:, better]
    return Solution(values, errors)


@dataclass(frozen=True, slots=True, eq=False)
class _VariateSample:
    """The part of a sample that the process uses. The attributes are the arguments of `regression.solve`."""

    sampler: Pairs
    layers: Sequence[Stratum]
    odd: Sequence[NDArray[np.float64]]
    gain: NDArray[np.float64]

    @property
    def counts(self) -> list[int]:
        """The number of known pairs of each stratum, k_s."""
        return [len(odd) for odd in self.odd]

    def process(self, counts: Sequence[int], kernel: OddKernel) -> OddProcess:
        """Returns the process, conditioned on the first `counts` pairs of the strata.

        The first row is the full coalition, whose odd part is Δ/2.
        """
        named = [self.sampler.pairs(stratum, 0, count) for stratum, count in enumerate(counts)]
        everyone = np.ones((1, self.sampler.players), dtype=bool)
        signs = np.where(np.concatenate([everyone, *named]), 1.0, -1.0)
        known = [odd[:count] for odd, count in zip(self.odd, counts, strict=True)]
        return OddProcess(kernel, signs, np.concatenate([self.gain[None] / 2, *known], dtype=np.float64))

    def first(self, pairs: int) -> list[int]:
        """Returns counts for a subsample of about `pairs` pairs, in proportion to the strata."""
        total = sum(self.counts)
        return [min(count, -(-count * pairs // total)) for count in self.counts]

    def kernel(self, attributions: NDArray[np.float64], run_jobs: JobRunner) -> OddKernel:
        """Chooses a kernel for the sample, given the base attributions (m, targets)."""
        rough = likeliest_kernel(attributions, partial(self.process, self.first(GUESS_PAIRS)), run_jobs)
        return tune(rough, partial(self.process, self.first(TUNING_PAIRS)))

    def solution(self, kernel: OddKernel, run_jobs: JobRunner) -> Solution:
        """Returns the solution with the process as control variate."""
        process = self.process(self.counts, kernel)
        residuals = process.residuals
        corrected = solve(self.sampler, self.layers, self._by_stratum(residuals), 2 * residuals[0], run_jobs)
        noise, missing = self._left_out(process, run_jobs)
        # The attributions should add up exactly. Centring the residuals removes the rest that is left by rounding.
        explained = process.attributions
        explained = explained + (self.gain - 2 * residuals[0] - explained.sum(axis=0)) / len(explained)
        return Solution(explained + corrected.values + missing / 2, self._errors(process, noise, missing))

    def _left_out(
        self, process: OddProcess, run_jobs: JobRunner
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Applies the base estimator to the left-out errors e.

        Both games have Δ = 0, because the value of the full coalition is known.

        Returns:
            The standard errors a of e, and the attributions d of (1 - k_s/N_s) e, (m, targets) each.
        """
        targets = len(self.gain)
        both = np.hstack([process.left_out, process.left_out * np.append(0.0, self._unknown)[:, None]])
        solved = solve(self.sampler, self.layers, self._by_stratum(both), np.zeros(2 * targets), run_jobs)
        return solved.errors[:, :targets], solved.values[:, targets:]

    def _errors(
        self, process: OddProcess, noise: NDArray[np.float64], missing: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Returns the error bars, (m, targets): the widest of A, B and C. `noise` is a, `missing` is d."""
        squares = np.square(process.left_out[1:]) * self._unknown[:, None]
        jackknife = np.sqrt(np.square(process.weights[1:]).T @ squares)
        # Correct for the degrees of freedom that the m own effects use up.
        free = 1 - self.sampler.players / sum(self.counts)
        own = np.sqrt(process.variances(slice(1, None))) / free**0.25
        return np.asarray(np.maximum.reduce([np.hypot(noise, missing / 2), jackknife, own]))

    @property
    def _unknown(self) -> NDArray[np.float64]:
        """For each pair, the unknown share of its stratum, 1 - k_s/N_s, (pairs,)."""
        shares = [1 - k / layer.total for k, layer in zip(self.counts, self.layers, strict=True)]
        return np.repeat(shares, self.counts)

    def _by_stratum(self, rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Returns the rows of a process by stratum, without the row of the full coalition."""
        return np.split(rows[1:], np.cumsum(self.counts)[:-1])
