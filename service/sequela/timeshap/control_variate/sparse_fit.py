"""Fits a game of few interactions: players' own effects and a few conjunctions, which are found one after another.

Each step looks for the conjunction that explains most of what the terms before it leave (orthogonal matching pursuit).
The odd part of a conjunction of two players is linear, so it adds nothing to their own effects. One of three players
differs from the product z_i z_j z_k by own effects only. So a step

1. finds the product of three of the strongest players that explains most,
2. lets the conjunctions of these players, with each choice of signs, grow by the literal that explains most, as long as
   one explains more than the conjunction before it,
3. adds the best of them, and fits all terms anew.

It ends if nothing is left, if there would be more terms than free pairs, or if what the best term explains could as
well be noise: among n candidates, the largest square of a standard normal variable is about 2 ln n.

Source: Pati, Rezaiifar and Krishnaprasad, Orthogonal matching pursuit (1993); Friedman and Popescu, Predictive learning
via rule ensembles (2008); docs/estimator.md, "Games of few interactions".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.conjunctions import attributions, odd_parts

NEAR = 32
"""Conjunctions begin with three of this many players, the strongest ones. They may grow by all."""
MAX_TERMS = 48
MAX_LITERALS = 10
MIN_SUPPORT = 8
"""A conjunction or its opposite must hold in at least this many of the pairs that a fit learns from, because many
different ones hold in a single pair.
"""
MIN_GROWTH = 1e-4
"""A longer conjunction, or one with other signs, must explain more by this share. Rounding must not decide."""
NOTHING = 1e-9
"""A residual is nothing if its root mean square is less than this share of what players' own effects leave. The latter
are all if they leave less than this share of the largest value.
"""
BOTH_SIGNS = np.array([[1.0], [-1.0]])
MIN_NEW = 1e-6
"""The smallest share of a term's sum of squares that the terms before it must leave unexplained."""


@dataclass(frozen=True, slots=True, eq=False)
class SparseDesign:
    """The part of the fits that no value changes.

    Attributes:
        signs: The full coalition and the known pairs as signs z = ±1, (p + 1, m).
        products: The products z_j z_k of each two of the first players, (p + 1, pairs of players).
        scales: One over the root of the sum of squares of z_i z_j z_k that own effects do not explain, (near, pairs of
            players); 0 unless i < j < k, or if too little is left.
    """

    signs: NDArray[np.float64]
    products: NDArray[np.float32]
    scales: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """How many bytes the arrays hold."""
        return self.signs.nbytes + self.products.nbytes + self.scales.nbytes


def sparse_design(signs: NDArray[np.float64]) -> SparseDesign:
    """Returns the design for the full coalition and some pairs, given as signs z = ±1, (p + 1, m)."""
    near = signs[:, :NEAR].astype(np.float32)
    players = near.shape[1]
    first, second = np.triu_indices(players, 1)
    products = near[:, first] * near[:, second]
    own = np.linalg.qr(signs)[0].T.astype(np.float32)
    scales = np.zeros((players, len(first)), np.float32)
    for player in range(players - 2):
        later = first > player
        reached = own @ (near[:, player, None] * products[:, later])
        left = len(signs) - np.square(reached).sum(axis=0)
        scales[player, later] = np.where(left > MIN_NEW * len(signs), 1 / np.sqrt(np.maximum(left, 1.0)), 0.0)
    return SparseDesign(signs, products, scales)


@dataclass(frozen=True, slots=True, eq=False)
class SparseGame:
    """A sum of conjunctions.

    Attributes:
        literals: Their literals, (t, m). The first m are the players' own effects.
        worths: Their weights, (t,).
    """

    literals: NDArray[np.float64]
    worths: NDArray[np.float64]

    def at(self, signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the odd parts at coalitions given as signs (k, m), (k,)."""
        return odd_parts(signs, self.literals) @ self.worths

    @property
    def attributions(self) -> NDArray[np.float64]:
        """The Shapley values, (m,)."""
        return attributions(self.literals) @ self.worths


class SparseFit:
    """A fit that grows by one term at a time.

    Args:
        design: The design.
        rows: The coalitions whose values are used, among those of the design, (k,).
        odd: Their odd parts, (k,).

    Attributes:
        left: The root mean square of what the terms leave, as a share of what the players' own effects leave.
        terms: The number of terms besides own effects.
        peak: The largest value that own effects leave, divided by the root mean square of these values.
    """

    def __init__(self, design: SparseDesign, rows: NDArray[np.intp], odd: NDArray[np.float64]) -> None:
        self.terms, self.left = 0, 1.0
        self._signs, self._products, self._scales = design.signs[rows], design.products[rows], design.scales
        self._near = design.signs[rows, :NEAR].astype(np.float32)
        # Squares of very large or small values must neither overflow nor vanish.
        self._unit = max(float(np.abs(odd).max()), np.finfo(np.float64).tiny)
        self._odd, players = odd / self._unit, design.signs.shape[1]
        self._literals = [*np.eye(players)]
        # The first row is the residual. The others are an orthonormal basis of the terms.
        self._table: NDArray[np.float64] = np.empty((1 + players + MAX_TERMS, len(rows)))
        self._table[1 : 1 + players] = np.linalg.qr(self._signs)[0].T
        self._table[0] = self._orthogonal(self._odd)
        self._first = self._rms()
        self.peak = float(np.abs(self._residual).max()) / max(self._first, np.finfo(np.float64).tiny)
        if self._first < NOTHING:
            self.left = 0.0

    @property
    def game(self) -> SparseGame:
        """The fitted game."""
        literals, basis = np.array(self._literals), self._known
        worths = np.linalg.solve(basis @ odd_parts(self._signs, literals), basis @ self._odd)
        return SparseGame(literals, self._unit * worths.astype(np.float64, copy=False))

    def grow(self) -> bool:
        """Adds a term. Returns whether there was one that explains more than noise."""
        free = len(self._odd) - len(self._literals)
        if self.terms == MAX_TERMS or free < len(self._literals) or self.left < NOTHING:
            return False
        found = self._best()
        noise = float(self._residual @ self._residual) / free
        # Every product is tried with four choices of signs, and every other player with two.
        candidates = 8 * self._signs.shape[1] * np.count_nonzero(self._scales)
        if found is None or found.explained <= 2 * np.log(max(candidates, 1)) * noise:
            return False
        self._add(found.literals)
        return True

    @property
    def _known(self) -> NDArray[np.float64]:
        return self._table[1 : 1 + len(self._literals)]

    @property
    def _residual(self) -> NDArray[np.float64]:
        return self._table[0, :]

    def _rms(self) -> float:
        return float(np.sqrt(np.square(self._residual).mean()))

    def _orthogonal(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the part of a column that the terms do not explain."""
        for _ in range(2):  # the second time removes what rounding has left
            column = column - self._known.T @ (self._known @ column)
        return column

    def _add(self, literals: NDArray[np.float64]) -> None:
        new = self._orthogonal(odd_parts(self._signs, literals[None])[:, 0])
        new /= np.linalg.norm(new)
        self._table[1 + len(self._literals)] = new
        self._literals.append(literals)
        self._residual[:] -= new * (new @ self._residual)
        self.left = self._rms() / self._first
        self.terms += 1

    def _best(self) -> _Candidate | None:
        """Returns the conjunction that explains most, of those that grow from the best product of three players."""
        best: _Candidate | None = None
        for literals in _with_signs(self._best_product(), self._signs.shape[1]):
            grown = self._grown(literals)
            if best is None or grown.explained > (1 + MIN_GROWTH) * best.explained:
                best = grown
        return best

    def _best_product(self) -> tuple[int, int, int]:
        residual = (self._residual / self._first).astype(np.float32)
        found = np.abs((residual[:, None] * self._near).T @ self._products) * self._scales
        player, pair = divmod(int(found.argmax()), found.shape[1])
        first, second = np.triu_indices(self._near.shape[1], 1)
        return player, int(first[pair]), int(second[pair])

    def _grown(self, literals: NDArray[np.float64]) -> _Candidate:
        """Returns the conjunction with these literals and further ones, as long as each of them explains more."""
        longer = self._longer(literals)
        best = next(longer)
        for candidate in longer:
            if candidate.explained <= (1 + MIN_GROWTH) * best.explained:
                break
            best = candidate
        return best

    def _longer(self, literals: NDArray[np.float64]) -> Iterator[_Candidate]:
        """Yields the conjunction with these literals, if it occurs often enough, and then longer and longer ones."""
        size = int(np.abs(literals).sum())
        matches = self._signs @ literals
        rows = np.flatnonzero(np.abs(matches) == size)
        # Twice the odd part, which is ±1/2 in these rows.
        odd = matches[rows] / size
        yield _Candidate(literals, self._explained(rows, odd))
        while size < MAX_LITERALS:
            player, sign, explained = self._best_literal(literals, rows, odd)
            if explained <= 0.0:
                return
            literals, size = literals.copy(), size + 1
            literals[player] = sign
            holds = self._signs[rows, player] * sign == odd
            rows, odd = rows[holds], odd[holds]
            yield _Candidate(literals, explained)

    def _explained(self, rows: NDArray[np.intp], odd: NDArray[np.float64]) -> float:
        left = len(rows) - float(np.square(self._known[:, rows] @ odd).sum())
        if len(rows) < MIN_SUPPORT or left <= MIN_NEW * len(rows):
            return 0.0
        return float(self._residual[rows] @ odd) ** 2 / left

    def _best_literal(
        self, literals: NDArray[np.float64], rows: NDArray[np.intp], odd: NDArray[np.float64]
    ) -> tuple[int, float, float]:
        """Returns the player and the sign of the literal to add, and the sum of squares that is then explained.

        The longer conjunction has the odd part (odd ± z_k)/4 in these rows.
        """
        signs, factors = self._signs[rows], self._table[: 1 + len(self._literals), rows]
        support = (len(rows) + BOTH_SIGNS * (odd @ signs)) / 2
        # For each sign and player the sums over the residual and each term, squared, (signs, 1 + terms, m).
        sums = (factors @ odd)[:, None] + BOTH_SIGNS[:, None] * (factors @ signs)
        np.square(sums, out=sums)
        left = support - sums[:, 1:].sum(axis=1) / 4
        usable = (support >= MIN_SUPPORT) & (left > MIN_NEW * support) & (literals == 0)
        explained = np.divide(sums[:, 0] / 4, left, out=np.zeros_like(left), where=usable)
        which, player = divmod(int(explained.argmax()), explained.shape[1])
        return player, float(BOTH_SIGNS[which, 0]), float(explained[which, player])


class _Candidate(NamedTuple):
    """A term that could be added, and the sum of squares that it would explain."""

    literals: NDArray[np.float64]
    explained: float


def _with_signs(players: Sequence[int], count: int) -> Iterator[NDArray[np.float64]]:
    """Yields the literals of three players with each choice of signs, up to a common one."""
    for signs in ((1, 1, 1), (1, 1, -1), (1, -1, 1), (1, -1, -1)):
        literals = np.zeros(count)
        literals[list(players)] = signs
        yield literals
