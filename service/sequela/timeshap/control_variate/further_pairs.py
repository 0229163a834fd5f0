"""The pairs of a sample that a process does not know, and the solution that they give together with the process.

A process knows the first a_s pairs of each stratum, and a larger sample has k_s. The mean of the process is a game h
with known Shapley values, and it equals the game at the known pairs. So the rest e = g - h is estimated from the
further pairs alone, which are a random sample of the N_s - a_s pairs that the process does not know:

    φ = φ(h) + base estimator of (1 - a_s/N_s) e

This has no bias, because h does not depend on the further pairs, and its error bars are those of the base estimator.
Given the process, it is independent of the solution from the known pairs (correction.py). The answer is the mean of
both, weighted by the inverse of their variances.

Source: control variates, as in Owen, Monte Carlo theory, methods and examples (2013), §8.9; docs/estimator.md,
"Samples that are larger than a process".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import Stratum, strata
from sequela.timeshap.control_variate.odd_kernel import OddKernel
from sequela.timeshap.control_variate.process_design import ProcessDesign, known_signs
from sequela.timeshap.pair_order import Pairs
from sequela.timeshap.regression import Solution, slopes, standard_errors
from sequela.timeshap.sample_design import JobRunner, SampleDesign, in_turn, sample_design

BLOCK_PAIRS = 1024
"""Pairs whose values are predicted at once. It limits memory use."""
PAIRS_PER_PLAYER = 2
"""Further pairs that are needed for each player. With fewer, the base estimator's error bars are too uncertain."""


@dataclass(frozen=True, slots=True)
class FurtherPairs:
    """The pairs that follow the first `known` ones of each stratum. Implements `Pairs`."""

    every: Pairs
    known: tuple[int, ...]

    @property
    def players(self) -> int:
        """The number of players m."""
        return self.every.players

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """As in `Pairs`."""
        first = self.known[stratum]
        return self.every.pairs(stratum, first + start, first + stop)


@dataclass(frozen=True, slots=True, eq=False)
class FurtherDesign:
    """The further pairs of a sample, without their values.

    Attributes:
        sample: Their design, as a sample of the pairs that the process does not know.
        unknown: The share of its stratum that the process does not know, for each pair, 1 - a_s/N_s, (f, 1).
        signs: The pairs as signs z = ±1, (f, m).
        known: The full coalition and the known pairs as signs, (a + 1, m).
        moments: For each known pair its share of X̃ᵀWy of the whole game, T_s x̃/N_s, (a, m).
    """

    sample: SampleDesign
    unknown: NDArray[np.float64]
    signs: NDArray[np.float64]
    known: NDArray[np.float64]
    moments: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """About how many bytes it holds if its sample holds its blocks."""
        held = self.unknown.nbytes + self.signs.nbytes + self.known.nbytes + self.moments.nbytes
        return self.sample.nbytes + held


def has_enough(players: int, known: Sequence[int], counts: Sequence[int]) -> bool:
    """Returns whether a sample of `counts` pairs in each stratum has enough further pairs."""
    return sum(counts) - sum(known) >= PAIRS_PER_PLAYER * players


def further_design(
    sampler: Pairs, known: Sequence[int], counts: Sequence[int], run_jobs: JobRunner = in_turn
) -> FurtherDesign:
    """Returns the design of the pairs that a sample has beyond the known ones.

    Args:
        sampler: The pairs of every stratum.
        known: How many pairs of each stratum the process knows, a_s.
        counts: How many the sample has, k_s.
        run_jobs: As in `sample_design`.
    """
    layers = strata(sampler.players)
    rest = [Stratum(each.size, each.total - a) for each, a in zip(layers, known, strict=True)]
    taken = [k - a for k, a in zip(counts, known, strict=True)]
    pairs = FurtherPairs(sampler, tuple(known))
    shares = [left.total / each.total for left, each in zip(rest, layers, strict=True)]
    signs = known_signs(sampler, known)
    weights = np.repeat([pair_weight(sampler.players, each.size) / each.total for each in layers], known)
    members = (signs[1:] + 1) / 2
    return FurtherDesign(
        sample=sample_design(pairs, rest, taken, run_jobs),
        unknown=np.repeat(shares, taken)[:, None],
        signs=known_signs(pairs, taken)[1:],
        known=signs,
        moments=weights[:, None] * (members - members.mean(axis=1, keepdims=True)),
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
    """

    kernel: OddKernel
    process: ProcessDesign
    values: NDArray[np.float64]


def extended(
    design: FurtherDesign,
    known: KnownValues,
    inner: Solution,
    odd: NDArray[np.float64],
    run_jobs: JobRunner = in_turn,
) -> Solution:
    """Returns the solution from all pairs of a sample.

    Args:
        design: The further pairs.
        known: The process, and the values that it knows.
        inner: The solution from the known pairs.
        odd: The odd parts g of the further pairs, (f, targets).
        run_jobs: As in `regression.solve`. The result does not depend on it.
    """
    outer = _outer(design, known, odd, run_jobs)
    share = _share(inner, outer)
    return Solution(
        inner.values + share * (outer.values - inner.values),
        np.hypot((1 - share) * inner.errors, share * outer.errors),
    )


def _outer(
    design: FurtherDesign, known: KnownValues, odd: NDArray[np.float64], run_jobs: JobRunner
) -> Solution:
    """Returns the solution from the process and the further pairs."""
    alpha = known.process.alpha(known.values)
    mean = partial(_mean, known.kernel, design.known, alpha)
    rounding = known.values - _in_blocks(mean, design.known, run_jobs)
    # K⁻¹ is kept in single precision, so h is a little off. Nearly all of that is an additive game.
    own = np.linalg.lstsq(design.known, rounding, rcond=None)[0]
    rounding -= design.known @ own
    errors = odd - _in_blocks(mean, design.signs, run_jobs) - design.signs @ own
    errors *= design.unknown
    nothing = np.zeros(odd.shape[1])
    slope = slopes(design.sample, errors, nothing, run_jobs)
    noise = standard_errors(design.sample, errors, nothing, slope, run_jobs)
    # What rounding leaves at the known pairs is known as well.
    slope += design.sample.inverse @ (design.moments.T @ rounding[1:])
    slope -= slope.mean(axis=0)
    explained = known.kernel.attributions(design.known).T @ alpha + 2 * own
    # What is left of Δ, up to rounding, goes to all alike, so that the attributions add up exactly.
    rest = 2 * known.values[0] - explained.sum(axis=0)
    return Solution(explained + slope + rest / design.sample.players, noise)


def _mean(
    kernel: OddKernel,
    known: NDArray[np.float64],
    alpha: NDArray[np.float64],
    signs: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Returns the mean of the process at some coalitions, (f, targets)."""
    return kernel.between(signs, known) @ alpha


def _in_blocks(
    mean: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    signs: NDArray[np.float64],
    run_jobs: JobRunner,
) -> NDArray[np.float64]:
    """Returns the mean at many coalitions, (f, targets)."""
    starts = range(0, len(signs), BLOCK_PAIRS)
    return np.concatenate(list(run_jobs(partial(mean, signs[i : i + BLOCK_PAIRS]) for i in starts)))


def _share(inner: Solution, outer: Solution) -> NDArray[np.float64]:
    """Returns the weight of the outer solution, by the inverse of the variances summed over players, (targets,)."""
    within, beyond = (np.square(each.errors).sum(axis=0) for each in (inner, outer))
    return np.asarray(within / np.maximum(within + beyond, np.finfo(np.float64).tiny))
