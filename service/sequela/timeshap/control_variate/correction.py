"""The solution with a Gaussian process as control variate, and its error bars.

solver.py has the formulas and the reasons for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.gaussian_process import NUGGET
from sequela.timeshap.control_variate.process_design import ProcessDesign
from sequela.timeshap.regression import Solution, slopes, standard_errors
from sequela.timeshap.sample_design import JobRunner, SampleDesign, in_turn


def variate_solutions(
    sample: SampleDesign,
    processes: Sequence[ProcessDesign],
    odd: NDArray[np.float64],
    gain: NDArray[np.float64],
    run_jobs: JobRunner = in_turn,
) -> tuple[Solution, ...]:
    """Returns the solution of the base estimator, and one for each process.

    The latter has the attributions of the process, plus those of its residuals, and half of those of its left-out
    errors.

    Args:
        sample: The pairs.
        processes: Processes for all of them.
        odd: Their odd parts g, (pairs, targets).
        gain: Δ, (targets,).
        run_jobs: As in `regression.solve`.
    """
    conditioned = [_conditioned(process, odd, gain) for process in processes]
    # All games of all processes are solved at once, which takes little longer than solving one.
    games = np.hstack([odd, *(each.games for each in conditioned)])
    gains = np.concatenate([gain, *(each.gains for each in conditioned)])
    slope = slopes(sample, games, gains, run_jobs)
    count = len(gain)
    # Standard errors are needed for the game itself and for the left-out errors e of each process, which are the last
    # of the three groups of columns that a process adds to `games`.
    starts = [0, *(count * (3 * number + 3) for number in range(len(processes)))]
    noisy = np.concatenate([np.arange(start, start + count) for start in starts])
    noise = standard_errors(sample, games[:, noisy], gains[noisy], slope[:, noisy], run_jobs)
    values, (bar, *noises) = slope + gains / sample.players, np.hsplit(noise, len(starts))
    base, *parts = np.hsplit(values, [count * (3 * number + 1) for number in range(len(processes))])
    variates = (each.solution(part, a) for each, part, a in zip(conditioned, parts, noises, strict=True))
    return (Solution(base, bar), *variates)


@dataclass(frozen=True, slots=True, eq=False)
class _Conditioned:
    """A process that is conditioned on the known values.

    Attributes:
        process: The process.
        gain: Δ, (targets,).
        alpha: α = K⁻¹g, (p + 1, targets).
        left_out: The left-out errors e, (p + 1, targets).
        explained: The attributions of the process's mean, (m, targets).
    """

    process: ProcessDesign
    gain: NDArray[np.float64]
    alpha: NDArray[np.float64]
    left_out: NDArray[np.float64]
    explained: NDArray[np.float64]

    @property
    def games(self) -> NDArray[np.float64]:
        """The residuals, (1 - k_s/N_s) e and e, in that order by targets, (pairs, 3 targets)."""
        missing = self.left_out * self.process.unknown
        return np.hstack([NUGGET * self.alpha[1:], missing[1:], self.left_out[1:]])

    @property
    def gains(self) -> NDArray[np.float64]:
        """Δ of these games. It is 0 for e, because the value of the full coalition is known, (3 targets,)."""
        return np.concatenate([2 * NUGGET * self.alpha[0], np.zeros(2 * len(self.gain))])

    def solution(self, values: NDArray[np.float64], noise: NDArray[np.float64]) -> Solution:
        """Returns the solution.

        Args:
            values: The attributions of `games` by the base estimator, (m, 3 targets).
            noise: The standard errors a of e by the base estimator, (m, targets).
        """
        corrected, missing, _ = np.hsplit(values, 3)
        # The attributions should add up exactly. Centring the residuals removes the rest that is left by rounding.
        rest = self.gain - self.gains[: len(self.gain)] - self.explained.sum(axis=0)
        explained = self.explained + rest / len(self.explained)
        return Solution(explained + corrected + missing / 2, self._errors(noise, missing))

    def _errors(self, noise: NDArray[np.float64], missing: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the error bars, (m, targets): the widest of A, B and C. `noise` is a, `missing` is d."""
        process = self.process
        jackknife = np.sqrt(process.jackknife.T @ np.square(self.left_out[1:]))
        # σ²: the mean square of the left-out errors in units of their own variance.
        spread = (np.square(self.alpha[1:]) / process.precision[1:]).mean(axis=0)
        # Correct for the degrees of freedom that the m own effects use up.
        free = 1 - len(process.variances) / (len(process.precision) - 1)
        own = np.sqrt(np.outer(process.variances, spread)) / free**0.25
        return np.asarray(np.maximum(np.maximum(np.hypot(noise, missing / 2), jackknife), own))


def _conditioned(process: ProcessDesign, odd: NDArray[np.float64], gain: NDArray[np.float64]) -> _Conditioned:
    known = np.concatenate([gain[None] / 2, odd], dtype=np.float64)
    alpha = process.alpha(known)
    return _Conditioned(process, gain, alpha, alpha / process.precision, process.weights.T @ known)
