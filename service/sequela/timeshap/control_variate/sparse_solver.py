"""The solution of a game of few interactions, with a sparse fit as control variate.

Pairs are divided into folds. For each fold, a fit (sparse_fit.py) learns from all other pairs, so its errors in the
fold are those of pairs that it has not seen:

    h    the mean of the fits, a game with known Shapley values
    e_p  g_p - the fit of the other folds, at pair p; g_p - h at pairs that no fit has seen
    d    base estimator, on all pairs, of (1 - k_s/N_s) e + (k_s/N_s)(g - h)
    φ = φ(h) + d

Each fold is a random part of the sample, so the mean of d is φ(g) - φ(h), however closely the fits follow the pairs
that they have seen. A stratum of which all pairs are known adds no error, as g - h is known there. If a game is a sum
of few conjunctions and the fits find them, e is 0 at all pairs, and the values are exact. The standard error is the
larger of two:

    (1 + 2/ν) times the base estimator's standard error for e, as if e were the game, with ν = (Σ e²)²/Σ e⁴
    b · max|r|/(rms(r) √k), with b the base estimator's standard error for g, k the number of all pairs, and r what the
        players' own effects leave at the pairs that a fit has seen

If e is large at a few pairs only, ν is about their number, and a normal interval would be too narrow. 1 + 2/ν is about
the ratio of the 95 % quantiles of Student's t with ν degrees of freedom and of the normal distribution.

The second bar is what a single pair adds to b if its r is the largest one. An effect that one pair in k shows is in
none of k known pairs in more than a third of all samples. So e = 0 at k pairs does not mean that there is no such
effect.

Smooth games are described better by a process. So a fit is given up if it is not promising. Let u be the root mean
square of its errors in the fold that it has not seen, relative to that of a fit of own effects only, and t the
smallest error bars so far, relative to those of the base estimator. After 4, 8 and 16 terms u must be at most 1.4 t,
1.2 t and t, and also at most 0.95, 0.9 and 0.8. At the end it must be at most t. Choosing the smallest of several
error bars favours those that are too small, so the solution is used only if its bars are at most 0.8 times the
others'.

Source: cross-fitting, Chernozhukov et al., Double/debiased machine learning (2018), §3; control variates, as in
further_pairs.py; docs/estimator.md, "Games of few interactions".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.further_pairs import FurtherDesign
from sequela.timeshap.control_variate.sparse_fit import SparseDesign, SparseFit, SparseGame
from sequela.timeshap.regression import Solution, slopes, standard_errors
from sequela.timeshap.sample_design import JobRunner, SampleDesign, checking, in_turn

FOLDS = 3
FEWEST_TERMS = 4
"""After so many terms it shows for the first time whether a fit is promising."""
PROMISING = {FEWEST_TERMS: (1.4, 0.95), 8: (1.2, 0.9), 16: (1.0, 0.8)}
"""After so many terms u must be at most this multiple of t, and at most this number."""
CLEARLY = 0.8
"""The solution is used if its error bars are at most this share of the smallest others'."""
BLOCK_PAIRS = 1024
"""Pairs whose values are predicted at once. It limits memory use."""


@dataclass(frozen=True, slots=True, eq=False)
class PartlySeen:
    """The pairs of a sample, some of which fits learn from.

    Attributes:
        sample: Returns the design of the base estimator for all pairs. It is called if there is a fit.
        fits: The design of the fits, for the pairs that they learn from.
        further: All pairs, of which those that fits learn from are the known ones.
    """

    sample: Callable[[], SampleDesign]
    fits: SparseDesign
    further: FurtherDesign


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """The standard errors of one target so far.

    Attributes:
        base: Those of the base estimator, (m, 1).
        smallest: The smallest ones, (m, 1).
    """

    base: NDArray[np.float64]
    smallest: NDArray[np.float64]

    @property
    def share(self) -> float:
        """The smallest ones relative to those of the base estimator, t."""
        return float(np.linalg.norm(self.smallest) / np.linalg.norm(self.base))


def sparse_solution(
    pairs: PartlySeen,
    odd: NDArray[np.float64],
    gain: float,
    bars: Bars,
    run_jobs: JobRunner = in_turn,
    check: Callable[[], None] = lambda: None,
) -> Solution | None:
    """Returns the solution for one target, (m, 1), or None if the game does not look like one of few interactions.

    Args:
        pairs: The pairs.
        odd: The odd parts g of all pairs, (k,).
        gain: Δ.
        bars: The error bars of the other solutions.
        run_jobs: As in `regression.solve`. The result does not depend on it.
        check: Called before each term and each block of pairs. If it raises, there is no solution.
    """
    values = np.append(gain / 2, odd[pairs.further.known])
    folds = np.arange(len(values) - 1) % FOLDS
    fitted = partial(_fitted, pairs.fits, values, folds, bars.share, check)
    # Most games are given up in the first fold, so the others wait for it.
    first = fitted(0)
    rest = run_jobs(partial(fitted, fold) for fold in range(1, FOLDS)) if first else ()
    fits = [fit for fit in (first, *rest) if fit]
    if len(fits) < FOLDS:
        return None
    found = _corrected(pairs, odd, gain, [fit.game for fit in fits], folds, checking(run_jobs, check))
    floor = bars.base * (max(fit.peak for fit in fits) / np.sqrt(len(odd)))
    errors = np.maximum(found.errors, floor)
    is_clear = np.linalg.norm(errors) <= CLEARLY * np.linalg.norm(bars.smallest)
    return Solution(found.values, errors) if is_clear else None


def _fitted(
    design: SparseDesign,
    values: NDArray[np.float64],
    folds: NDArray[np.intp],
    share: float,
    check: Callable[[], None],
    fold: int,
) -> SparseFit | None:
    """Returns the fit that has not seen one fold, or None if it is not promising."""
    is_seen = np.append(True, folds != fold)
    seen, unseen = np.flatnonzero(is_seen), np.flatnonzero(~is_seen)
    fit, signs = SparseFit(design, seen, values[seen]), design.signs[unseen]

    def error() -> float:
        return float(np.linalg.norm(values[unseen] - fit.game.at(signs)))

    first = error()
    while True:
        check()
        if not fit.grow():
            return fit if error() <= share * first else None
        limits = PROMISING.get(fit.terms)
        if limits and error() > min(limits[0] * share, limits[1]) * first:
            return None


def _corrected(
    pairs: PartlySeen,
    odd: NDArray[np.float64],
    gain: float,
    games: Sequence[SparseGame],
    folds: NDArray[np.intp],
    run_jobs: JobRunner,
) -> Solution:
    """Returns φ(h) + d, with the first standard error."""
    signs, known = pairs.fits.signs[1:], pairs.further.known
    fits = np.column_stack([game.at(signs) for game in games])
    errors, left = odd.copy(), odd.copy()
    errors[known] -= fits[np.arange(len(signs)), folds]
    left[known] -= fits.mean(axis=1)
    errors[~known] -= _mean_at(games, pairs.further, run_jobs)
    left += pairs.further.unknown * (errors - left)
    left[~known] = errors[~known]
    explained = np.mean([game.attributions for game in games], axis=0)[:, None]
    rest = np.full(2, gain - explained.sum())
    sample = pairs.sample()
    slope = slopes(sample, np.column_stack([errors, left]), rest, run_jobs)
    noise = standard_errors(sample, errors[:, None], rest[:1], slope[:, :1], run_jobs)
    noise *= 1 + 2 / _effective_number(errors)
    values = explained + slope[:, 1:]
    # What is left of Δ is divided equally among the players, so that the attributions add up exactly.
    values += (gain - values.sum()) / len(values)
    return Solution(values, noise)


def _effective_number(errors: NDArray[np.float64]) -> float:
    """Returns ν: the number of errors, if those that are not 0 are equally large, and at least 1."""
    squares = np.square(errors / max(float(np.abs(errors).max()), np.finfo(np.float64).tiny))
    return float(max(squares.sum() ** 2 / max(np.square(squares).sum(), 1.0), 1.0))


def _mean_at(games: Sequence[SparseGame], design: FurtherDesign, run_jobs: JobRunner) -> NDArray[np.float64]:
    """Returns the mean of some games at the pairs that they have not seen."""
    rows = np.flatnonzero(~design.known)

    def block(start: int) -> NDArray[np.float64]:
        signs = design.signs(rows[start : start + BLOCK_PAIRS]).astype(np.float64)
        return np.asarray(np.mean([game.at(signs) for game in games], axis=0))

    blocks = run_jobs(partial(block, start) for start in range(0, len(rows), BLOCK_PAIRS))
    return np.concatenate([*blocks, np.empty(0)])
