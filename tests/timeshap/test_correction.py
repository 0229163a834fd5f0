"""The solution with a process as control variate, and its error bars, put together from its parts one by one."""

from __future__ import annotations

import numpy as np
import pytest
from core_sampling import gain
from games import sparse_game
from numpy.typing import NDArray
from sequela.timeshap.coalitions import allocation, strata, unknown_shares
from sequela.timeshap.control_variate.correction import variate_solutions
from sequela.timeshap.control_variate.gaussian_process import NUGGET
from sequela.timeshap.control_variate.process_design import known_signs, process_design
from sequela.timeshap.control_variate.rank_kernels import rank_kernel
from sequela.timeshap.pair_order import PairSampler
from sequela.timeshap.regression import Solution, solve
from sequela.timeshap.sample_design import sample_design

PLAYERS, COALITIONS = 16, 400


@pytest.mark.parametrize("effective_players", [5.0, 12.0])
def test_the_solution_is_the_sum_of_its_parts(effective_players: float) -> None:
    """docs/estimator.md: the process, the base estimator on its residuals, and half of d; the widest of A, B and C."""
    game, counts = sparse_game(PLAYERS, 3), allocation(PLAYERS, COALITIONS)
    sampler, layers, whole = PairSampler(PLAYERS, 1), strata(PLAYERS), gain(sparse_game(PLAYERS, 3), PLAYERS)
    pairs = np.concatenate([sampler.pairs(i, 0, count) for i, count in enumerate(counts)])
    odd = (game(pairs) - game(~pairs)) / 2
    edges = np.cumsum(counts)[:-1]

    def base(values: NDArray[np.float64], difference: NDArray[np.float64]) -> Solution:
        return solve(sampler, layers, np.split(values, edges), difference)

    kernel, signs = rank_kernel(PLAYERS, effective_players), known_signs(sampler, counts)
    design = process_design(kernel, signs, unknown_shares(PLAYERS, counts), np.float64)
    sample = sample_design(sampler, layers, counts)
    alone, found = variate_solutions(sample, [design], odd, whole)

    known = np.concatenate([whole[None] / 2, odd])
    inverse = np.linalg.inv(kernel.between(signs, signs) + NUGGET * np.eye(len(signs)))
    alpha, sections = inverse @ known, kernel.attributions(signs)
    left_out, nobody = alpha / np.diag(inverse)[:, None], np.zeros(1)
    shares = np.concatenate([np.full(k, 1 - k / each.total) for k, each in zip(counts, layers, strict=True)])
    residuals = NUGGET * alpha
    missing = base(shares[:, None] * left_out[1:], nobody).values
    explained = sections.T @ alpha
    # Rounding apart, what the process and the residuals say adds up to v(N) - v(∅) already.
    expected = explained + base(residuals[1:], 2 * residuals[0]).values + missing / 2
    np.testing.assert_allclose(found.values, expected, atol=1e-7)

    noise = np.hypot(base(left_out[1:], nobody).errors, missing / 2)
    weights = inverse @ sections
    jackknife = np.sqrt((weights[1:] ** 2 * shares[:, None]).T @ left_out[1:] ** 2)
    left = kernel.attribution_variances() - (sections * weights).sum(axis=0)
    spread = (alpha[1:] ** 2 / np.diag(inverse)[1:, None]).mean(axis=0)
    own = np.sqrt(np.outer(left, spread)) / (1 - PLAYERS / len(odd)) ** 0.25
    np.testing.assert_allclose(found.errors, np.maximum.reduce([noise, jackknife, own]), rtol=1e-4, atol=1e-9)
    plain = base(odd, whole)
    np.testing.assert_allclose(alone.values, plain.values, atol=1e-12)
    np.testing.assert_allclose(alone.errors, plain.errors, atol=1e-12)
