"""The solution of a sample with more pairs than a process uses: the further pairs show the error of the process.

A process knows the first a_s pairs of each stratum, and a larger sample has k_s. The mean of the process is a game h
with known Shapley values. Its error, e = g - h, is nearly 0 at the known pairs and is measured at the further pairs.
For the N_s - k_s pairs that the sample does not have, it must be estimated. The left-out errors of the known pairs are
evidence as well: each is the error that the process would have made. So the mean of e over all k_s pairs stands for the
rest:

    e_p = g_p - h_p at further pairs, the left-out error at known ones
    d = base estimator, on all pairs, of e at further pairs and (1 - k_s/N_s) e at known ones
    φ = φ(h) + d

One regression over all pairs serves games with rare effects better than one over the further pairs only: a few further
pairs may show none of the effect, and their error bars are then nearly 0. The standard error is the larger of

    the base estimator's standard error for e over all pairs, as if e were the game
    √(a/k · U_k/U_a) of the standard error from the known pairs alone (correction.py), with a = Σ a_s, k = Σ k_s,
        U_k = Σ a_s (1 - k_s/N_s) and U_a = Σ a_s (1 - a_s/N_s).

The second one keeps a sample whose further pairs happen to look smooth from claiming more than its size can give. The
variance that the base estimator finds in stratum s is in proportion to (1 - k_s/N_s)/k_s: it falls with the number of
pairs and with the share of the game that is still unknown. U_k/U_a is that share relative to what it was when only the
process's pairs were known, averaged over these pairs. The base estimator gives the pairs of strata with large unknown
shares less weight than that, so the average is on the safe side.

Source: control variates, as in Owen, Monte Carlo theory, methods and examples (2013), §8.9; docs/estimator.md,
"Samples that are larger than a process".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import strata, unknown_shares
from sequela.timeshap.control_variate.every_pair import at_every_pair, worth_summing_all
from sequela.timeshap.control_variate.gaussian_process import NUGGET
from sequela.timeshap.control_variate.odd_kernel import OddKernel
from sequela.timeshap.control_variate.process_design import ProcessDesign
from sequela.timeshap.control_variate.sections import Sections, exact_in_single
from sequela.timeshap.pair_order import Pairs
from sequela.timeshap.regression import Solution, slopes, standard_errors
from sequela.timeshap.sample_design import JobRunner, SampleDesign, in_turn

BLOCK_PAIRS = 512
"""Pairs whose values are predicted at once. It limits memory use, and the covariances stay in the cache."""
REFINEMENTS = 3
"""How often α is refined. K⁻¹ is kept in single precision. That alone would leave h off by up to several percent of the
largest value in games of many players, and in smooth games by as much as the process's own error. Each step leaves a
tenth of the rounding error or less.
"""


@dataclass(frozen=True, slots=True, eq=False)
class FurtherDesign:
    """All pairs of a sample, without their values, and which of them a process knows.

    Attributes:
        members: The named sides of the pairs, by stratum, (k, m).
        known: Whether the process knows the pair, (k,).
        unknown: The unknown share of the pair's stratum, 1 - k_s/N_s, (k,).
        weights: The share of the pair in X̃ᵀWy of the whole game, T_s/N_s, (k,).
    """

    members: NDArray[np.bool_]
    known: NDArray[np.bool_]
    unknown: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """How many bytes the arrays hold."""
        return self.members.nbytes + self.known.nbytes + self.unknown.nbytes + self.weights.nbytes

    def signs(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Returns some pairs as signs z = ±1."""
        return (2 * self.members.take(rows, axis=0).view(np.int8) - 1).astype(np.float32)


def further_design(sampler: Pairs, known: Sequence[int], counts: Sequence[int]) -> FurtherDesign:
    """Returns the design of a sample of which a process knows a part.

    Args:
        sampler: The pairs of every stratum.
        known: How many pairs of each stratum the process knows, a_s.
        counts: How many the sample has, k_s.
    """
    m, layers = sampler.players, strata(sampler.players)
    taken = [sampler.pairs(stratum, 0, count) for stratum, count in enumerate(counts)]
    return FurtherDesign(
        members=np.concatenate(taken),
        known=np.concatenate([np.arange(k) < a for a, k in zip(known, counts, strict=True)]),
        unknown=unknown_shares(m, counts),
        weights=np.repeat([pair_weight(m, each.size) / each.total for each in layers], counts),
    )


def pair_weight(players: int, size: int) -> float:
    """Returns the weight of all pairs of a stratum together, T_s = 2/(s(m - s)), half of it at s = m/2."""
    return (1.0 if 2 * size == players else 2.0) / (size * (players - size))


@dataclass(frozen=True, slots=True, eq=False)
class KnownValues:
    """What a process knows of a game.

    Attributes:
        kernel: Its covariance.
        process: Its design.
        values: The odd parts of the full coalition and of the known pairs, (a + 1, targets).
        solution: The solution from these (correction.py).
    """

    kernel: OddKernel
    process: ProcessDesign
    values: NDArray[np.float64]
    solution: Solution


def extended(
    sample: SampleDesign,
    design: FurtherDesign,
    known: KnownValues,
    odd: NDArray[np.float64],
    run_jobs: JobRunner = in_turn,
) -> Solution:
    """Returns the solution from a process and all pairs of a sample.

    Args:
        sample: All pairs.
        design: The same pairs, and which of them the process knows.
        known: The process, and what it knows.
        odd: The odd parts g of all pairs, (k, targets).
        run_jobs: As in `regression.solve`. The result does not depend on it.
    """
    first, further = np.flatnonzero(design.known), np.flatnonzero(~design.known)
    mean = _mean(known, design.signs(first), run_jobs)
    errors = np.empty(odd.shape)
    errors[first] = mean.alpha[1:] / known.process.precision[1:]
    errors[further] = odd[further] - mean.at(design, further, run_jobs)
    missing = np.where(design.known[:, None], errors * design.unknown[:, None], errors)
    nothing = np.zeros(2 * odd.shape[1])
    slope, lacked = np.hsplit(slopes(sample, np.hstack([errors, missing]), nothing, run_jobs), 2)
    noise = standard_errors(sample, errors, nothing[: odd.shape[1]], slope, run_jobs)
    floor = np.sqrt(_left_of_variance(design, known.process)) * known.solution.errors
    # The rest of Δ is divided equally among the players, so that the attributions add up exactly.
    values = mean.attributions + _of_known(design, mean.left[1:]) + lacked
    values += (2 * known.values[0] - values.sum(axis=0)) / len(values)
    return Solution(values, np.maximum(noise, floor))


def _left_of_variance(design: FurtherDesign, process: ProcessDesign) -> float:
    """Returns the share of the variance from the known pairs alone that a sample can still have, a/k · U_k/U_a."""
    unknown = float(design.unknown[design.known].sum() / process.unknown.sum())
    return unknown * np.count_nonzero(design.known) / len(design.known)


@dataclass(frozen=True, slots=True, eq=False)
class _Mean:
    """The mean h of a process, as a game.

    Attributes:
        sections: The kernel's sections at the full coalition and the known pairs.
        alpha: α = K⁻¹g, (a + 1, targets).
        left: g - h at these coalitions, (a + 1, targets). It is small, but not 0, because of the nugget.
    """

    sections: Sections
    alpha: NDArray[np.float64]
    left: NDArray[np.float64]

    @property
    def attributions(self) -> NDArray[np.float64]:
        """The Shapley values of h, (m, targets)."""
        signs = self.sections.signs.astype(np.float64)
        return self.sections.kernel.attributions(signs).T @ self.alpha

    def at(self, design: FurtherDesign, rows: NDArray[np.intp], run_jobs: JobRunner) -> NDArray[np.float64]:
        """Returns h at some pairs, (rows, targets)."""
        mean = self.sections.summed(self.alpha)
        if worth_summing_all(design.members.shape[1], len(rows), self.alpha.shape[1]):
            return at_every_pair(mean, design.signs(rows), run_jobs)

        def block(start: int) -> NDArray[np.float64]:
            return mean.at(design.signs(rows[start : start + BLOCK_PAIRS]))

        return np.concatenate(list(run_jobs(partial(block, i) for i in range(0, len(rows), BLOCK_PAIRS))))


def _mean(known: KnownValues, pairs: NDArray[np.float32], run_jobs: JobRunner) -> _Mean:
    """Returns the mean of a process that knows these pairs, given as signs (a, m)."""
    signs = np.concatenate([np.ones((1, pairs.shape[1]), dtype=np.float32), pairs])
    sections = Sections(exact_in_single(known.kernel), signs)
    blocks = [signs[i : i + BLOCK_PAIRS] for i in range(0, len(signs), BLOCK_PAIRS)]
    nears = list(run_jobs(partial(sections.near, each, np.float64) for each in blocks))

    def left(alpha: NDArray[np.float64]) -> NDArray[np.float64]:
        mean = sections.summed(alpha)
        return np.asarray(known.values - np.concatenate([*map(mean.at, blocks, nears)]))

    alpha = known.process.alpha(known.values)
    for _ in range(REFINEMENTS):
        alpha += known.process.alpha(left(alpha) - NUGGET * alpha)
    return _Mean(sections, alpha, left(alpha))


def _of_known(design: FurtherDesign, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the Shapley values (m, targets) of a game with these values at the known pairs that is 0 elsewhere."""
    players = design.members.shape[1]
    x = design.members[design.known].astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    # X̃ᵀWX̃ of the whole game is this multiple of I - 11ᵀ/m.
    normal = sum(1.0 if 2 * each.size == players else 2.0 for each in strata(players))
    normal /= players * (players - 1)
    return np.asarray(x.T @ (values * design.weights[design.known][:, None]) / normal)
