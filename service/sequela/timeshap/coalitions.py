"""Decides how many coalitions of each size are evaluated: budgets, nested stages, strata and their allocation.

Shapley values depend only on the odd part of a game, so coalitions come in pairs {S, Sᶜ}. A pair belongs to the stratum
of its smaller size s = 1 … ⌊m/2⌋. It is identified by its smaller side (the named side), or at s = m/2 by the side that
contains the last player. The seed determines one random order for each stratum (pair_order.py), and a budget takes the
first k_s pairs of it. So smaller samples are subsets of larger ones, and the seed and the budget reproduce a sample. A
stratum of which all pairs are taken is enumerated.

The weights of the coalitions are KernelSHAP's (TimeSHAP Eq. 2; docs/estimator.md, "Which coalitions").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

MAX_STRATUM = 1 << 62
"""Larger strata are treated as if they had this size. No sample comes near the end of such a stratum."""
GROWTH = 1.4
"""The ratio between the sizes of consecutive nested stages."""
EXACT_AT_ONCE = 4096
"""Games of up to this many coalitions are enumerated without sampling first."""
FEWEST_TO_TRUST = 1024
"""The standard errors of smaller samples do not end a game. A small sample may miss an effect that occurs in few
coalitions ("these three or four players present, and none of those three or four"), and its standard errors are then
far too small. Nine games with such rules and 20, 30 and 40 players were stopped at a target of 0.005. When samples of
any size could stop them, 95 % intervals covered 55-81 % (12-65 % for the player that was missed most often). With at
least 1024 coalitions they covered 92-95 % (83-93 %, and 72 % in one game of 40 players), and with at least 2048 they
covered 93-95 %, which is not worth twice the rows.
"""


def minimum_budget(players: int) -> int:
    """Returns the smallest budget n: max(4m, 128), or all 2^m coalitions if there are fewer.

    This is enough for a regression of full rank, with pairs left for estimating standard errors.
    """
    return min(max(4 * players, 128), all_coalitions(players))


def all_coalitions(players: int) -> int:
    """Returns the number of coalitions of m players, 2^m."""
    return 1 << players


def stages(players: int, budget: int, at_once: int = EXACT_AT_ONCE, fewest: int = 0) -> tuple[int, ...]:
    """Returns the sizes of the nested stages in coalitions, each about 1.4 times the one before.

    Args:
        players: The number of players m, at least 2.
        budget: The largest size. If there are fewer than that, all 2^m coalitions are the last stage.
        at_once: Games with at most this many coalitions have a single stage, if the budget allows it.
        fewest: A size to include, if it lies between the first and the last one.

    Returns:
        The sizes, ascending; empty if the budget is below the minimum.
    """
    total = all_coalitions(players)
    last = min(budget, total)
    n = minimum_budget(players)
    if last < n:
        return ()
    if last == total <= at_once:
        return (total,)
    sizes = []
    while n * GROWTH < last:
        sizes.append(n)
        larger = int(np.ceil(n * GROWTH))
        n = fewest if n < fewest < larger else larger
    return (*sizes, last)


@dataclass(frozen=True, slots=True)
class Stratum:
    """All pairs of one size.

    Attributes:
        size: The number of players on the named side, s.
        total: The number of pairs, N_s.
    """

    size: int
    total: int


@lru_cache(maxsize=64)
def strata(players: int) -> tuple[Stratum, ...]:
    """Returns the strata of m players, by ascending s from 1: N_s = C(m, s), and half of it at s = m/2."""
    layers, total = [], 1
    for size in range(1, players // 2 + 1):
        # C(m, s) follows from C(m, s - 1). The cap keeps the numbers of large games small.
        total = min(total * (players - size + 1) // size, MAX_STRATUM) if total < MAX_STRATUM else MAX_STRATUM
        layers.append(Stratum(size, total // 2 if 2 * size == players else total))
    return tuple(layers)


@lru_cache(maxsize=256)
def allocation(players: int, budget: int) -> tuple[int, ...]:
    """Returns the number of pairs k_s of each stratum in a sample of n coalitions.

    k_s = min(N_s, c), or min(N_s, c/2) at s = m/2, such that Σ k_s = ⌊(n - 2)/2⌋, rounded by largest remainders
    (docs/estimator.md, "Which coalitions"). The empty and the full coalition are always known, which leaves n - 2.
    Stratum 1 is filled first, so that every player is alone in one pair and the regression has full rank.
    """
    layers = strata(players)
    left = min((budget - 2) // 2, sum(layer.total for layer in layers))
    if not layers or left <= 0:
        return tuple(0 for _ in layers)
    limits = [layer.total for layer in layers]
    shares = [0.5 if 2 * layer.size == players else 1.0 for layer in layers]
    first = _fill(limits, shares, left)
    singles = min(limits[0], left)
    if first[0] >= singles:
        return first
    return (singles, *_fill(limits[1:], shares[1:], left - singles))


def _fill(limits: list[int], shares: list[float], amount: int) -> tuple[int, ...]:
    """Divides `amount` in proportion to `shares`, no part above its limit, rounded by largest remainders."""
    given = [0] * len(limits)
    open_parts = list(range(len(limits)))
    left = amount
    # Parts that reach their limit are fixed, and the rest is divided again, until no other part reaches its limit.
    while open_parts:
        level = left / sum(shares[i] for i in open_parts)
        full = [i for i in open_parts if limits[i] <= level * shares[i]]
        if not full:
            break
        for i in full:
            given[i] = limits[i]
            left -= limits[i]
        filled = set(full)
        open_parts = [i for i in open_parts if i not in filled]
    if not open_parts:
        return tuple(given)
    exact = {i: level * shares[i] for i in open_parts}
    given = [int(exact[i]) if i in exact else count for i, count in enumerate(given)]
    missing = left - sum(given[i] for i in open_parts)
    # Largest remainders first. Ties go to the stratum of smaller coalitions.
    by_remainder = sorted(open_parts, key=lambda i: (int(exact[i]) - exact[i], i))
    for i in by_remainder[:missing]:
        given[i] += 1
    return tuple(given)


def unknown_shares(players: int, counts: Sequence[int]) -> NDArray[np.float64]:
    """Returns for each known pair the unknown share of its stratum, 1 - k_s/N_s, (pairs,), given all k_s."""
    return np.repeat([1 - k / layer.total for k, layer in zip(counts, strata(players), strict=True)], counts)


Portion: TypeAlias = list[tuple[int, int, int]]
"""Ranges of pairs, as (stratum, start, stop) in the stratum's order."""


def portions(known: Sequence[int], counts: Sequence[int], most: int) -> Iterator[Portion]:
    """Divides the pairs that a sample adds into portions of `most` pairs.

    Args:
        known: The number of pairs of each stratum that the sample already has.
        counts: The number of pairs of each stratum that it should have.
        most: The number of pairs in a portion. The last one may have fewer.
    """
    portion: Portion = []
    left = most
    for stratum, (first, count) in enumerate(zip(known, counts, strict=True)):
        start = first
        while start < count:
            stop = min(count, start + left)
            portion.append((stratum, start, stop))
            left -= stop - start
            start = stop
            if not left:
                yield portion
                portion, left = [], most
    if portion:
        yield portion
