"""Which coalitions are evaluated: complementary pairs, stratified by size, drawn without replacement.

A pair {S, Sᶜ} belongs to the stratum of its smaller size s = 1 … ⌊m/2⌋; at s = m/2 the pair is named by the
side that holds the last player. Each stratum has one seeded random order; a budget takes the first k_s of
it, so smaller designs are nested in larger ones, and the budget alone reproduces a design. A stratum taken
whole is enumerated.

The kernel is KernelSHAP's (TimeSHAP Eq. 2); only the odd part of a game matters to its Shapley values, hence
the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

ENUMERABLE = 1 << 18
"""Strata up to this many pairs are put in order as a whole; larger ones are drawn and repeats dropped."""
DRAW_CELLS = 1 << 15
"""Random numbers drawn at a time from a larger stratum. Part of what a seed means: changing it changes the
samples.
"""
MANY = 1 << 62
"""Strata larger than this count as this large: nobody gets near their end."""
GROWTH = 1.4
"""How much larger each nested stage is than the one before."""
EXACT_AT_ONCE = 4096
"""Games of up to this many coalitions are enumerated without sampling first."""


def minimum_budget(players: int) -> int:
    """The smallest budget whose design has full rank and error bars: max(4m, 128), or all 2^m where that is
    less.
    """
    return min(max(4 * players, 128), all_coalitions(players))


def all_coalitions(players: int) -> int:
    """2^m."""
    return 1 << players


def stages(players: int, budget: int) -> tuple[int, ...]:
    """Budgets of the nested stages, each about 1.4 times the one before.

    The last one is `budget` or, where that suffices, all 2^m coalitions; a game of at most 4096 coalitions
    has one stage. Empty where the budget is below the minimum.
    """
    total = all_coalitions(players)
    last = min(budget, total)
    n = minimum_budget(players)
    if last < n:
        return ()
    if last == total <= EXACT_AT_ONCE:
        return (total,)
    sizes = []
    while n * GROWTH < last:
        sizes.append(n)
        n = int(np.ceil(n * GROWTH))
    return (*sizes, last)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Pairs of one size: `size` players on the named side, `total` pairs in all."""

    size: int
    total: int


@lru_cache(maxsize=64)
def strata(players: int) -> tuple[Stratum, ...]:
    """The strata of m players: N_s = C(m, s), half of it at s = m/2."""
    layers, total = [], 1
    for size in range(1, players // 2 + 1):
        total = min(total * (players - size + 1) // size, MANY) if total < MANY else MANY
        layers.append(Stratum(size, total // 2 if 2 * size == players else total))
    return tuple(layers)


def allocation(players: int, budget: int) -> tuple[int, ...]:
    """How many pairs k_s each stratum gets from n coalitions: k_s = min(N_s, c·a_s), Σ k_s = ⌊(n - 2)/2⌋.

    a_s = 1, or ½ at s = m/2, by largest remainders; stratum 1 comes first, so that the design has full rank.
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
    """Shares `amount` in proportion, no part above its limit, rounded by largest remainders."""
    given = [0] * len(limits)
    open_parts = list(range(len(limits)))
    left = amount
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


class PairSampler:
    """Draws the pairs of every stratum in its seeded order, as far as they are asked for, and remembers them
    packed.

    Memory: m/8 bytes a pair drawn, and 8 bytes for each pair of an enumerable stratum.
    """

    def __init__(self, players: int, seed: int) -> None:
        self.players = players
        self._draws = [_draw_for(players, layer, seed) for layer in strata(players)]

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """The pairs start … stop - 1 of a stratum (0 is size 1), (stop - start, m): the named side of
        each.
        """
        packed = self._draws[stratum].take(stop)[start:stop]
        return np.unpackbits(packed, axis=1, count=self.players).astype(bool)


class _Enumerated:
    """A stratum small enough to put in order as a whole: a permutation of ranks, unranked when taken."""

    def __init__(self, players: int, layer: Stratum, generator: np.random.Generator) -> None:
        self._players, self._layer = players, layer
        self._order = generator.permutation(layer.total)
        self._packed = np.empty((0, (players + 7) // 8), dtype=np.uint8)

    def take(self, count: int) -> NDArray[np.uint8]:
        have = len(self._packed)
        if have < count:
            fresh = np.packbits(unrank(self._players, self._layer, self._order[have:count]), axis=1)
            self._packed = np.concatenate([self._packed, fresh])
        return self._packed


class _Drawn:
    """A stratum too large to put in order: random subsets of its size, repeats dropped."""

    def __init__(self, players: int, layer: Stratum, generator: np.random.Generator) -> None:
        self._players, self._layer, self._generator = players, layer, generator
        self._seen: set[bytes] = set()
        self._packed = np.empty((0, (players + 7) // 8), dtype=np.uint8)

    def take(self, count: int) -> NDArray[np.uint8]:
        chunks = [self._packed]
        have = len(self._packed)
        while have < count:
            fresh = self._fresh()
            chunks.append(fresh)
            have += len(fresh)
        if len(chunks) > 1:
            self._packed = np.concatenate(chunks)
        return self._packed

    def _fresh(self) -> NDArray[np.uint8]:
        count = max(DRAW_CELLS // self._players, 8)
        keys = self._generator.random((count, self._players))
        chosen = np.argpartition(keys, self._layer.size - 1, axis=1)[:, : self._layer.size]
        rows = np.zeros((count, self._players), dtype=bool)
        np.put_along_axis(rows, chosen, True, axis=1)
        if 2 * self._layer.size == self._players:
            rows ^= ~rows[:, -1:]
        packed = np.packbits(rows, axis=1)
        new = []
        for index, row in enumerate(packed):
            key = row.tobytes()
            if key not in self._seen:
                self._seen.add(key)
                new.append(index)
        return np.asarray(packed[new], dtype=np.uint8)


def _draw_for(players: int, layer: Stratum, seed: int) -> _Enumerated | _Drawn:
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, players, layer.size])))
    kind = _Enumerated if layer.total <= ENUMERABLE else _Drawn
    return kind(players, layer, generator)


def unrank(players: int, layer: Stratum, ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Subsets of `layer.size` players in lexicographic order by rank, (k, m); the last player is in at s =
    m/2.
    """
    rows = np.zeros((len(ranks), players), dtype=bool)
    free, need = players, np.full(len(ranks), layer.size)
    if 2 * layer.size == players:
        rows[:, -1] = True
        free, need = players - 1, need - 1
    left = np.asarray(ranks, dtype=np.int64).copy()
    for player in range(free):
        # Subsets that take this player come first; there are C(players after it, still needed - 1) of them.
        after = free - player - 1
        table = np.array([comb(after, n - 1) if n else 0 for n in range(layer.size + 1)], dtype=np.int64)
        taken = table[need]
        take = (left < taken) & (need > 0)
        rows[:, player] = take
        left -= np.where(take, 0, taken)
        need -= take
    return rows
