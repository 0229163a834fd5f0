"""How many coalitions of each size are evaluated: budgets, nested stages, strata and their allocation.

Only the odd part of a game matters to its Shapley values, so coalitions come in pairs {S, Sᶜ}. A pair belongs to the
stratum of its smaller size s = 1 … ⌊m/2⌋. It is named by its smaller side; at s = m/2 by the side that holds the last
player. Each stratum has one random order that follows from the seed (pair_order.py), and a budget takes the first k_s
pairs of it. So smaller samples are contained in larger ones, and the budget alone reproduces a sample. A stratum that
is taken whole is enumerated.

The weights of the coalitions are KernelSHAP's (TimeSHAP Eq. 2; docs/estimator.md, "Which coalitions").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

MAX_STRATUM = 1 << 62
"""Larger strata count as this large. No sample comes near the end of such a stratum."""
GROWTH = 1.4
"""How much larger each nested stage is than the one before."""
EXACT_AT_ONCE = 4096
"""Games of up to this many coalitions are enumerated without sampling first."""
FEWEST_TO_TRUST = 1024
"""Samples of fewer coalitions do not end a game by their error bars. An effect that few coalitions have ("these three
or four players in, and none of those three or four") may not be in a small sample at all, and its error bars are then
far too small. Nine games of such rules with 20, 30 and 40 players were stopped at a target of 0.005. When any sample
could stop them, 95 % intervals covered 55-81 % (of the player missed most 12-65 %). From 1024 coalitions on they
covered 92-95 % (83-93 %, in one game of 40 players 72 %), and from 2048 on 93-95 %, which is not worth twice the rows.
"""


def minimum_budget(players: int) -> int:
    """The smallest budget n: max(4m, 128), or all 2^m coalitions if these are fewer.

    The regression then has full rank, and enough pairs are left for error bars.
    """
    return min(max(4 * players, 128), all_coalitions(players))


def all_coalitions(players: int) -> int:
    """The number of coalitions of m players, 2^m."""
    return 1 << players


def stages(players: int, budget: int, at_once: int = EXACT_AT_ONCE, fewest: int = 0) -> tuple[int, ...]:
    """The sizes in coalitions of the nested stages, each about 1.4 times the one before.

    Args:
        players: m, at least 2.
        budget: The largest size. If all 2^m coalitions are fewer, they are the last stage.
        at_once: Games of at most so many coalitions have one stage, if the budget allows it.
        fewest: One of the sizes is this one, if it lies between the first and the last.

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
    """All pairs of one size: `size` players on the named side (s), `total` pairs (N_s)."""

    size: int
    total: int


@lru_cache(maxsize=64)
def strata(players: int) -> tuple[Stratum, ...]:
    """The strata of m players, by size from 1 on: N_s = C(m, s), half of it at s = m/2."""
    layers, total = [], 1
    for size in range(1, players // 2 + 1):
        total = min(total * (players - size + 1) // size, MAX_STRATUM) if total < MAX_STRATUM else MAX_STRATUM
        layers.append(Stratum(size, total // 2 if 2 * size == players else total))
    return tuple(layers)


@lru_cache(maxsize=256)
def allocation(players: int, budget: int) -> tuple[int, ...]:
    """The number of pairs k_s that each stratum gets from n coalitions (docs/estimator.md, "Which coalitions").

    k_s = min(N_s, c·a_s) with a_s = 1 (½ at s = m/2), so that Σ k_s = ⌊(n - 2)/2⌋, rounded by largest remainders. The
    empty coalition and the one of all players are always known, hence n - 2. Stratum 1 is filled first, so that every
    player is alone in one pair and the regression has full rank.
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
    # A part that reaches its limit is full, and the others get more of what is left, until no further part is full.
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
    by_remainder = sorted(open_parts, key=lambda i: (int(exact[i]) - exact[i], i))
    for i in by_remainder[:missing]:
        given[i] += 1
    return tuple(given)


Portion: TypeAlias = list[tuple[int, int, int]]
"""Ranges of pairs, as (stratum, start, stop) in the stratum's order."""


def portions(known: Sequence[int], counts: Sequence[int], most: int) -> Iterator[Portion]:
    """Divides the pairs that a sample adds into portions of `most` pairs.

    Args:
        known: The number of pairs of each stratum that the sample already has.
        counts: The number that it is to have.
        most: The pairs of a portion; the last one may have fewer.
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
