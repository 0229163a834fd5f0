"""The solution of a game of few interactions, with a sparse fit as control variate.

Pairs are divided into folds. For each fold, a fit (sparse_fit.py) learns from all other pairs, so its errors in the
fold are those of pairs that it has not seen:

    h    the mean of the fits, a game with known Shapley values
    e_p  g_p - the fit of the other folds, at pair p; g_p - h at pairs that no fit has seen
    d    base estimator, on all pairs, of (1 - k_s/N_s) e + (k_s/N_s)(g - h)
    φ = φ(h) + d, with the base estimator's standard error for e, as if e were the game

Each fold is a random part of the sample, so the mean of d is φ(g) - φ(h), however closely the fits follow the pairs
that they have seen. A stratum of which all pairs are known adds no error, as g - h is known there. If a game is a sum
of few conjunctions and the fits find them, e is 0, and the solution is exact.

Smooth games are described better by a process. So a fit is given up if it is not promising. Let u be what it leaves,
relative to what the players' own effects leave, and r the smallest error bars so far, relative to those of the base
estimator. After 4, 8 and 16 terms u must be at most 1.2 r, r and 0.8 r, and at the end r.

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
from sequela.timeshap.sample_design import JobRunner, SampleDesign, in_turn

FOLDS = 3
FEWEST_TERMS = 4
"""After so many terms it shows for the first time whether a fit is promising."""
PROMISING = {FEWEST_TERMS: 1.2, 8: 1.0, 16: 0.8}
"""After so many terms a fit must leave at most this multiple of r."""
BLOCK_PAIRS = 1024
"""Pairs whose values are predicted at once. It limits memory use."""


@dataclass(frozen=True, slots=True, eq=False)
class PartlySeen:
    """The pairs of a sample, some of which fits learn from.

    Attributes:
        sample: The design of the base estimator for all pairs.
        fits: The design of the fits, for the pairs that they learn from.
        further: All pairs, of which those that fits learn from are the known ones.
    """

    sample: SampleDesign
    fits: SparseDesign
    further: FurtherDesign


def sparse_solution(
    pairs: PartlySeen,
    odd: NDArray[np.float64],
    gain: float,
    rival: float,
    run_jobs: JobRunner = in_turn,
    check: Callable[[], None] = lambda: None,
) -> Solution | None:
    """Returns the solution for one target, (m, 1), or None if the game does not look like one of few interactions.

    Args:
        pairs: The pairs.
        odd: The odd parts g of all pairs, (k,).
        gain: Δ.
        rival: The smallest error bars so far, as a share of the base estimator's.
        run_jobs: As in `regression.solve`. The result does not depend on it.
        check: Called before each term. If it raises, there is no solution.
    """
    values = np.append(gain / 2, odd[pairs.further.known])
    folds = np.arange(len(values) - 1) % FOLDS
    fitted = partial(_fitted, pairs.fits, values, folds, rival, check)
    # Most games are given up in the first fold, so the others wait for it.
    first = fitted(0)
    rest = run_jobs(partial(fitted, fold) for fold in range(1, FOLDS)) if first else ()
    games = [game for game in (first, *rest) if game]
    return _corrected(pairs, odd, gain, games, folds, run_jobs) if len(games) == FOLDS else None


def _fitted(
    design: SparseDesign,
    values: NDArray[np.float64],
    folds: NDArray[np.intp],
    rival: float,
    check: Callable[[], None],
    fold: int,
) -> SparseGame | None:
    """Returns the fit that has not seen one fold, or None if it is not promising."""
    rows = np.flatnonzero(np.append(True, folds != fold))
    fit = SparseFit(design, rows, values[rows])
    while fit.left <= PROMISING.get(fit.terms, np.inf) * rival:
        check()
        if not fit.grow():
            return fit.game if fit.left <= rival else None
    return None


def _corrected(
    pairs: PartlySeen,
    odd: NDArray[np.float64],
    gain: float,
    games: Sequence[SparseGame],
    folds: NDArray[np.intp],
    run_jobs: JobRunner,
) -> Solution:
    """Returns φ(h) + d, with the standard errors of e."""
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
    slope = slopes(pairs.sample, np.column_stack([errors, left]), rest, run_jobs)
    noise = standard_errors(pairs.sample, errors[:, None], rest[:1], slope[:, :1], run_jobs)
    values = explained + slope[:, 1:]
    # What is left of Δ is divided equally among the players, so that the attributions add up exactly.
    values += (gain - values.sum()) / len(values)
    return Solution(values, noise)


def _mean_at(games: Sequence[SparseGame], design: FurtherDesign, run_jobs: JobRunner) -> NDArray[np.float64]:
    """Returns the mean of some games at the pairs that they have not seen."""
    rows = np.flatnonzero(~design.known)

    def block(start: int) -> NDArray[np.float64]:
        signs = design.signs(rows[start : start + BLOCK_PAIRS])
        return np.asarray(np.mean([game.at(signs) for game in games], axis=0))

    blocks = run_jobs(partial(block, start) for start in range(0, len(rows), BLOCK_PAIRS))
    return np.concatenate([*blocks, np.empty(0)])
