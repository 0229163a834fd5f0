"""Conjunctions of players that must be in or out: games with few interactions are sums of a few of them.

A conjunction has literals l_i: 1 if player i must be in, -1 if it must be out, 0 if it does not matter. Its value is 1
for coalitions in which all of its n literals hold, and 0 for all others. With z_i = 1 for players that are in and -1
for the others, all literals hold if z·l = n, and none holds if z·l = -n. So its odd part is

    g(z) = ([z·l = n] - [z·l = -n])/2

"One of these players is in" has, up to a constant, the same odd part as "all of them are in", so disjunctions need no
terms of their own. With a literals that demand a player and b that forbid one, the Shapley values are

    (a - 1)! b!/(a + b)!     for players that must be in
    -a! (b - 1)!/(a + b)!    for players that must be out

A player's own effect is a conjunction of one literal, with the odd part z_i/2.

Source: unanimity games, Shapley (1953); with players that must be out, Grabisch and Roubens, International Journal of
Game Theory 28 (1999).
"""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import NDArray


def odd_parts(signs: NDArray[np.float64], literals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the odd parts of conjunctions with literals (t, m), at coalitions given as signs (k, m), (k, t)."""
    sizes = np.abs(literals).sum(axis=1)
    matches = signs @ literals.T
    return np.asarray(np.subtract(matches == sizes, matches == -sizes, dtype=np.float64) / 2)


def attributions(literals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the Shapley values of conjunctions with literals (t, m), (m, t)."""
    shares = [_shares(int((each > 0).sum()), int((each < 0).sum())) for each in literals]
    inside, outside = np.array(shares).reshape(-1, 2).T
    return np.where(literals.T > 0, inside, np.where(literals.T < 0, -outside, 0.0))


def _shares(inside: int, outside: int) -> tuple[float, float]:
    """Returns what each player gets that must be in, and what each one loses that must be out."""
    orders = factorial(inside + outside)
    return (
        factorial(max(inside - 1, 0)) * factorial(outside) / orders,
        factorial(inside) * factorial(max(outside - 1, 0)) / orders,
    )
