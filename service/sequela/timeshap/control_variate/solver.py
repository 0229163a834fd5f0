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
votes. Without d, and with min(1.1 A, max(B, C)), bars held on average over players (95-96 %) but failed for single
players: the largest company of an airport game of 30 in two of three samples, and as often the strongest event of a
recurrent network at 128 coalitions. Averaging over processes that leave each pair out has no bias, but gave larger
errors.

Measured over additive, sparse and heavy-tailed games, votes, airports, unanimity, redundant players, random networks,
and a recurrent network's events, features and cells, of 14 and 30 players: at 512 coalitions the errors are 0.09-0.95
of the base estimator's (events 0.34-0.45); at 128 coalitions the base estimator has the smaller bars for most targets,
and solves them. 95 % intervals cover every single player as often as the base estimator's do, and the three largest in
90 % of samples or more; with 4m coalitions of 46 events in 89 %, as those of the base estimator.

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

from sequela.timeshap.coalitions import Stratum, allocation, unknown_shares
from sequela.timeshap.control_variate.correction import variate_solutions
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
from sequela.timeshap.control_variate.process_design import known_signs, process_design
from sequela.timeshap.pair_order import Pairs
from sequela.timeshap.regression import Solution, more_precise, solve
from sequela.timeshap.sample_design import JobRunner, in_turn, sample_design

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
    return more_precise(base, _for_all_targets(base, unsure, variate))


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


def _for_all_targets(base: Solution, unsure: NDArray[np.bool_], variate: Solution) -> Solution:
    """Returns `variate`, which has the unsure targets only, with the others as in `base`."""
    values, errors = base.values.copy(), base.errors.copy()
    values[:, unsure], errors[:, unsure] = variate.values, variate.errors
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
        signs = known_signs(self.sampler, counts)
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
        sample = sample_design(self.sampler, self.layers, self.counts, run_jobs)
        shares = unknown_shares(self.sampler.players, self.counts)
        process = process_design(kernel, known_signs(self.sampler, self.counts), shares, np.float64)
        odd = np.concatenate(self.odd, dtype=np.float64)
        _, solution = variate_solutions(sample, [process], odd, self.gain, run_jobs)
        return solution
