"""A smooth function of coalitions whose Shapley values are known. It makes true values of other games more exact.

The Shapley values of a game are those of the surrogate, plus those of the game minus the surrogate. The difference
varies much less than the game, so that a sample of it is more accurate. This holds for any surrogate, good or bad.

Coalitions are written as signs z = ±1. The surrogate is Σ_p α_p K(z, z_p) over known coalitions z_p, with

    K(z, z') = ½ [Π(1 + ρ_i z_i z'_i) - Π(1 - ρ_i z_i z'_i)]/Π(1 + ρ_i) + 10 z·z'/m,   ρ_i = c √(|φ_i|/max |φ|),

and α from K on the known coalitions. In the multilinear extension, where all others are present with probability t,
player i adds 2 ρ_i z'_i Π_{j≠i}(1 ± ρ_j (2t - 1) z'_j) to each product, whose integral over t is its Shapley value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.estimators.known_game import Coalitions, Floats, Worth
from benchmarks.estimators.pair_values import sampled

KNOWN_PAIRS = 2048
TRIAL_PAIRS = 512
"""The number of further pairs by which c is chosen."""
REACHES = (0.15, 0.3, 0.45, 0.6, 0.8)
"""Candidates for c."""
OWN_EFFECTS = 10.0
NUGGET = 1e-6
"""Added to the diagonal, for the noise of float32 models."""


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A function of coalitions (n, m).

    Attributes:
        strengths: ρ, (m,).
        signs: The known coalitions z_p, (p, m).
        factors: α, (p,).
    """

    strengths: Floats
    signs: Floats
    factors: Floats

    def __call__(self, coalitions: Coalitions) -> Floats:
        """Returns the values (n,) of coalitions (n, m)."""
        return kernel(self.strengths, np.where(coalitions, 1.0, -1.0), self.signs) @ self.factors

    def attributions(self) -> Floats:
        """Returns the Shapley values, (m,)."""
        nodes, weights = np.polynomial.legendre.leggauss(len(self.strengths) // 2 + 1)
        pulls = self.strengths * self.signs
        total = 2 * OWN_EFFECTS / len(self.strengths) * self.signs
        for node, weight in zip(nodes, weights / 2, strict=True):
            # The nodes are symmetric about 0, so both products of the kernel have the same integral.
            logs = np.log1p(node * pulls) - np.log1p(self.strengths)
            others = np.exp(logs.sum(axis=1, keepdims=True) - logs) / (1 + self.strengths)
            total = total + weight * 2 * pulls * others
        return total.T @ self.factors


def kernel(strengths: Floats, signs: Floats, others: Floats) -> Floats:
    """Returns K between coalitions (n, m) and (p, m) as signs, (n, p)."""
    # Π(1 + ρ z z') depends on z·z' weighted by atanh ρ, since z z' is a sign.
    rates = np.arctanh(strengths)
    alike = (signs * rates) @ others.T
    scale = 0.5 * np.log1p(-(strengths**2)).sum() - np.log1p(strengths).sum()
    products = (np.exp(alike + scale) - np.exp(scale - alike)) / 2
    return products + OWN_EFFECTS / len(strengths) * (signs @ others.T)


def fit(worth: Worth, players: int, seed: int) -> Surrogate:
    """Fits a surrogate to the odd part of a game. Of several kernels, that which predicts other pairs best is used."""
    rough = np.abs(sampled(worth, players, 2 * KNOWN_PAIRS, seed).values[:, 0])
    known, trial = np.split(_random_coalitions(players, KNOWN_PAIRS + TRIAL_PAIRS, seed), [KNOWN_PAIRS])
    known[0] = True
    odd, held = ((worth(z) - worth(~z)) / 2 for z in (known, trial))
    shares = np.sqrt(np.maximum(rough / rough.max(), 1e-6))
    found = [_fitted(reach * shares, known, odd) for reach in REACHES]
    return found[_best(found, trial, held)]


def _fitted(strengths: Floats, known: Coalitions, odd: Floats) -> Surrogate:
    signs = np.where(known, 1.0, -1.0)
    covariance = kernel(strengths, signs, signs)
    covariance[np.diag_indices_from(covariance)] += NUGGET
    return Surrogate(strengths, signs, np.asarray(np.linalg.solve(covariance, odd), dtype=np.float64))


def _best(found: Sequence[Surrogate], trial: Coalitions, held: Floats) -> int:
    return int(np.argmin([np.square(each(trial) - held).sum() for each in found]))


def _random_coalitions(players: int, count: int, seed: int) -> Coalitions:
    """Returns random coalitions, all sizes equally often."""
    rng = np.random.default_rng((seed, players))
    sizes = rng.integers(1, players, size=count)
    ranks = np.argsort(rng.random((count, players)), axis=1).argsort(axis=1)
    return ranks < sizes[:, np.newaxis]
