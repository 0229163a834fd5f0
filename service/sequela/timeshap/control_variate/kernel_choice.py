"""Chooses the kernel of the Gaussian process: how strongly each player may interact with others.

The first guess is ρ_i = c·a_i^q, where a_i is the |φ_i| of the base estimator relative to the largest one, averaged
over targets so that all targets share one kernel. The most likely pair of a few values of c and q is used. Then a few
steps of Adam (Kingma and Ba 2015) tune each ln λ_i, with a normal prior on the deviation of its change from the
players' mean change.

Without the prior, samples of 128-512 coalitions were overfitted, and their 95 % intervals covered 43-85 % in some
games; with a precision of 5, still only 83-91 % in a voting game. With 40, the error for the events of recurrent
networks is a tenth to a third smaller than without tuning, and it is no larger for other games.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.gaussian_process import OddProcess
from sequela.timeshap.control_variate.odd_kernel import OddKernel
from sequela.timeshap.sample_design import JobRunner

REACHES = (0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9)
"""Candidates for c, the strength of the interactions of the strongest player."""
POWERS = (0.0, 0.5)
"""Candidates for q: 0 gives all players the same interactions, 1/2 the square roots of their attributions."""
KERNELS = len(REACHES) * len(POWERS)
LEAST_SHARE = 1e-6
"""Lower bound for a_i, because a player without attribution may still interact."""
GUESS_PAIRS = 256
"""Approximate number of pairs by which the first guess is chosen."""
TUNING_PAIRS = 512
"""Approximate number of pairs that tuning uses."""
STEPS = 12
"""Steps of tuning. 25 and 60 steps gave the same results."""
STEP_SIZE = 0.15
"""Approximate size of the largest step in ln λ."""
PRIOR_PRECISION = 40.0
"""The prior precision (1/variance) of the change of ln λ_i around the players' mean change."""
LARGEST_RATE = 1.9
"""The largest λ: ρ = 0.956."""
DECAY_SLOPE, DECAY_SQUARE = 0.8, 0.9
"""The decay rates of Adam's running means. They are short because the steps are few."""

ProcessOf = Callable[[OddKernel], OddProcess]
"""Creates the process with a given kernel, conditioned on a sample."""


def likeliest_kernel(
    attributions: NDArray[np.float64], process_of: ProcessOf, run_jobs: JobRunner
) -> OddKernel:
    """Returns the most likely first guess, given the base attributions (m, targets)."""
    kernels = list(_kernels(attributions))
    likelihoods = list(run_jobs(partial(_likelihood, process_of, kernel) for kernel in kernels))
    return kernels[int(np.argmax(likelihoods))]


def tune(kernel: OddKernel, process_of: ProcessOf) -> OddKernel:
    """Returns the most probable kernel of those reached in a few steps, including `kernel` itself."""
    start = place = np.log(kernel.rates)
    best, highest = kernel, -np.inf
    slope, square = np.zeros_like(start), np.zeros_like(start)
    for step in range(1, STEPS + 1):
        process = process_of(OddKernel(np.tanh(np.exp(place))))
        # The prior only penalises differences between players, not a change that all of them share.
        difference = (place - start) - (place - start).mean()
        posterior = process.likelihood - PRIOR_PRECISION / 2 * float(difference @ difference)
        if posterior > highest:
            best, highest = process.kernel, posterior
        # Adam takes steps of similar size in every ln λ, independent of the size of its gradient.
        uphill = process.likelihood_slopes() * np.exp(place) - PRIOR_PRECISION * difference
        slope += (1 - DECAY_SLOPE) * (uphill - slope)
        square += (1 - DECAY_SQUARE) * (uphill**2 - square)
        mean_slope, mean_square = slope / (1 - DECAY_SLOPE**step), square / (1 - DECAY_SQUARE**step)
        # 1e-12 avoids a division by 0 where the gradient is 0, and the limit keeps ρ below 1.
        place = np.minimum(
            place + STEP_SIZE * mean_slope / np.sqrt(mean_square + 1e-12), np.log(LARGEST_RATE)
        )
    return best


def _kernels(attributions: NDArray[np.float64]) -> Iterator[OddKernel]:
    """Yields the kernels of all c and q."""
    sizes = np.abs(attributions)
    shares = (sizes / np.maximum(sizes.max(axis=0), np.finfo(float).tiny)).mean(axis=1)
    shares = np.maximum(shares, LEAST_SHARE) / max(shares.max(), LEAST_SHARE)
    return (OddKernel(reach * shares**power) for power, reach in product(POWERS, REACHES))


def _likelihood(process_of: ProcessOf, kernel: OddKernel) -> float:
    return process_of(kernel).likelihood
