"""The solution with a Gaussian process as control variate, and its error bars.

The formulas, and why they are what they are, stand in solver.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.gaussian_process import NUGGET
from sequela.timeshap.control_variate.process_design import ProcessDesign
from sequela.timeshap.regression import Solution, slopes, standard_errors
from sequela.timeshap.sample_design import JobRunner, SampleDesign, in_turn


def variate_solution(
    sample: SampleDesign,
    process: ProcessDesign,
    odd: NDArray[np.float64],
    gain: NDArray[np.float64],
    run_jobs: JobRunner = in_turn,
) -> Solution:
    """Returns the attributions of the process, plus those of its residuals and half of those of its left-out errors.

    Args:
        sample: The pairs.
        process: The process for all of them.
        odd: Their odd parts g, (pairs, targets).
        gain: Δ, (targets,).
        run_jobs: As in `regression.solve`.
    """
    targets = len(gain)
    known = np.concatenate([gain[None] / 2, odd], dtype=np.float64)
    alpha = (process.inverse @ known.astype(process.inverse.dtype)).astype(np.float64)
    residuals, left_out = NUGGET * alpha, alpha / process.precision
    # The base estimator solves three games at once: the residuals, the left-out errors e, and (1 - k_s/N_s) e. The last
    # two have Δ = 0, because the value of the full coalition is known.
    games = np.hstack([residuals, left_out, left_out * process.unknown])[1:]
    gains = np.concatenate([2 * residuals[0], np.zeros(2 * targets)])
    slope = slopes(sample, games, gains, run_jobs)
    corrected, leftover, missing = np.hsplit(slope + gains / sample.players, 3)
    noise = standard_errors(
        sample, games[:, targets : 2 * targets], gains[targets : 2 * targets], leftover, run_jobs
    )
    # The attributions should add up exactly. Centring the residuals removes the rest that is left by rounding.
    explained = process.weights.T @ known
    explained += (gain - 2 * residuals[0] - explained.sum(axis=0)) / len(explained)
    errors = _errors(process, alpha, left_out, noise, missing)
    return Solution(explained + corrected + missing / 2, errors)


def _errors(
    process: ProcessDesign,
    alpha: NDArray[np.float64],
    left_out: NDArray[np.float64],
    noise: NDArray[np.float64],
    missing: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Returns the error bars, (m, targets): the widest of A, B and C. `noise` is a, `missing` is d."""
    jackknife = np.sqrt(process.jackknife.T @ np.square(left_out[1:]))
    # σ²: the mean square of the left-out errors in units of their own variance.
    spread = (np.square(alpha[1:]) / process.precision[1:]).mean(axis=0)
    # Correct for the degrees of freedom that the m own effects use up.
    free = 1 - len(process.variances) / (len(process.precision) - 1)
    own = np.sqrt(np.outer(process.variances, spread)) / free**0.25
    return np.asarray(np.maximum.reduce([np.hypot(noise, missing / 2), jackknife, own]))
