"""Which coalitions are evaluated: complementary pairs, stratified by size, drawn without replacement.

A pair {S, Sᶜ} belongs to the stratum of its smaller size s = 1 … ⌊m/2⌋; at s = m/2 the pair is named by the
side that holds the last player. Each stratum has one seeded random order; a budget takes the first k_s of
it, so smaller designs are nested in larger ones, and the budget alone reproduces a design. A stratum taken
whole is enumerated.

The kernel is KernelSHAP's (TimeSHAP Eq. 2); only the odd part of a game matters to its Shapley values, hence
the pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

ENUMERABLE = 1 << 14
"""Strata up to this many pairs, and those of games small enough to be played whole, are put in order as a whole;
larger ones are drawn and repeats dropped. Part of what a seed means.
"""
LEAST_CELLS = 1 << 13
MOST_CELLS = 1 << 17
"""Players × pairs drawn or unranked in one go, about: at least this, for calls cost too, and at most that, to
stay in cache.
"""
WORD_PLAYERS = 20
"""Subsets of up to this many players are looked up rather than unranked."""
MANY = 1 << 62
"""Strata larger than this count as this large: nobody gets near their end."""
GROWTH = 1.4
"""How much larger each nested stage is than the one before."""
EXACT_AT_ONCE = 4096
"""Games of up to this many coalitions are enumerated without sampling first."""
FEWEST_TO_TRUST = 1024
"""Samples of fewer coalitions do not end a game because their error bars are within the target: an effect that few
coalitions have ("these three or four players in, and none of those three or four") may not be in the sample at all,
and the bars are then far too small. Nine games of such rules with 20, 30 and 40 players, stopped at a target of 0.005
as soon as the bars allowed, covered 55-81 % (the player missed most 12-65 %). From 1024 on they covered 92-95 % (the
player missed most 83-93 %, in one game of 40 players 72 %); from 2048 on 93-95 %, which was not worth twice the rows.
"""


def minimum_budget(players: int) -> int:
    """The smallest budget whose design has full rank and error bars: max(4m, 128), or all 2^m where that is
    less.
    """
    return min(max(4 * players, 128), all_coalitions(players))


def all_coalitions(players: int) -> int:
    """2^m."""
    return 1 << players


def stages(players: int, budget: int, at_once: int = EXACT_AT_ONCE, fewest: int = 0) -> tuple[int, ...]:
    """Budgets of the nested stages, each about 1.4 times the one before; `fewest` is one of them where it fits in.

    The last one is `budget` or, where that suffices, all 2^m coalitions; a game of at most `at_once`
    coalitions has one stage. Empty where the budget is below the minimum.
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


@lru_cache(maxsize=256)
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


Portion: TypeAlias = list[tuple[int, int, int]]
"""Pairs as (stratum, start, stop)."""


def portions(known: Sequence[int], counts: Sequence[int], most: int) -> Iterator[Portion]:
    """The pairs of every stratum from the number known to its count, in order, in portions of `most` pairs."""
    portion: Portion = []
    room = most
    for stratum, (first, count) in enumerate(zip(known, counts, strict=True)):
        start = first
        while start < count:
            stop = min(count, start + room)
            portion.append((stratum, start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield portion
                portion, room = [], most
    if portion:
        yield portion


class Pairs(Protocol):
    """The pairs of every stratum, in an order that does not change."""

    @property
    def players(self) -> int:
        """How many there are, m."""
        ...

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """The pairs start … stop - 1 of a stratum (0 is size 1), (stop - start, m): the named side of
        each.
        """
        ...


def pairs_of(players: int, sizes: tuple[int, ...], seed: int) -> Pairs:
    """What stages of these sizes are taken from: where the only one is the whole game, order does not matter."""
    whole = sizes == (all_coalitions(players),)
    return WholeGame(players) if whole else PairSampler(players, seed)


@dataclass(frozen=True, slots=True)
class WholeGame:
    """All pairs of a small game, by rank: nothing is random."""

    players: int

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """As in `Pairs`; read-only."""
        return _ranked(self.players, strata(self.players)[stratum])[start:stop]


@lru_cache(maxsize=64)
def _ranked(players: int, layer: Stratum) -> NDArray[np.bool_]:
    rows = np.unpackbits(unrank(players, layer, np.arange(layer.total)), axis=1, count=players).view(bool)
    rows.flags.writeable = False
    return rows


class PairSampler:
    """Draws the pairs of every stratum in its seeded order, as far as they are asked for, and remembers them
    packed.

    Memory: m/8 bytes a pair, and 8 more for each pair of an enumerable stratum or about 200 for each one drawn
    from a larger stratum.
    """

    def __init__(self, players: int, seed: int) -> None:
        self.players = players
        self._seed = seed
        self._orders: dict[int, _Permuted | _Drawn] = {}

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """As in `Pairs`."""
        if start >= stop:
            return np.empty((0, self.players), dtype=bool)
        if stratum not in self._orders:
            self._orders[stratum] = _order(self.players, strata(self.players)[stratum], self._seed)
        packed = self._orders[stratum].take(stop)[start:stop]
        return np.unpackbits(packed, axis=1, count=self.players).view(bool)


class _Permuted:
    """A stratum small enough to put in order as a whole: a permutation of ranks, unranked when taken."""

    def __init__(self, players: int, layer: Stratum, generator: np.random.Generator) -> None:
        self._players, self._layer = players, layer
        self._order = generator.permutation(layer.total)
        self._packed = np.empty((0, (players + 7) // 8), dtype=np.uint8)

    def take(self, count: int) -> NDArray[np.uint8]:
        """At least the first `count` pairs."""
        have = len(self._packed)
        if have < count:
            ranks = self._order[have : _ahead(self._players, count, have)]
            self._packed = np.concatenate([self._packed, unrank(self._players, self._layer, ranks)])
        return self._packed


class _Drawn:
    """A stratum too large to put in order: random subsets of its size, repeats dropped."""

    def __init__(self, players: int, layer: Stratum, generator: np.random.Generator) -> None:
        self._players, self._layer, self._generator = players, layer, generator
        self._seen: dict[bytes, None] = {}
        self._packed = np.empty((0, (players + 7) // 8), dtype=np.uint8)

    def take(self, count: int) -> NDArray[np.uint8]:
        """At least the first `count` pairs."""
        have = len(self._packed)
        if have < count:
            # No more than there are: the last of them would be waited for in vain.
            self._draw(min(_ahead(self._players, count, have), self._layer.total))
            self._packed = np.frombuffer(b"".join(self._seen), dtype=np.uint8).reshape(len(self._seen), -1)
        return self._packed

    def _draw(self, count: int) -> None:
        most = max(MOST_CELLS // self._players, 8)
        while (missing := count - len(self._seen)) > 0:
            # Near a stratum's end most draws are repeats.
            packed = self._subsets(min(max(missing, LEAST_CELLS // self._players), most))
            # A dictionary keeps the first of equals, in order.
            self._seen.update(dict.fromkeys(packed.view(f"V{packed.shape[1]}").ravel().tolist()))

    def _subsets(self, count: int) -> NDArray[np.uint8]:
        """Those players are in whose random keys are the smallest; of a pair of halves, the named side."""
        size = self._layer.size
        keys = self._generator.random((count, self._players))
        rows = keys <= np.partition(keys, size - 1, axis=1)[:, size - 1 : size]
        if 2 * size == self._players:
            rows ^= ~rows[:, -1:]
        packed = np.packbits(rows, axis=1)
        # Two equal keys, should they ever occur, can let in one player too many.
        fits = np.bitwise_count(packed).sum(axis=1) == size
        return np.asarray(packed[fits], dtype=np.uint8)


def _ahead(players: int, count: int, have: int) -> int:
    """How many pairs to have ready when `count` are asked for: stages ask again and again."""
    return max(count, 2 * have, LEAST_CELLS // players)


def _order(players: int, layer: Stratum, seed: int) -> _Permuted | _Drawn:
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, players, layer.size])))
    in_order = players <= WORD_PLAYERS or layer.total <= ENUMERABLE
    return (_Permuted if in_order else _Drawn)(players, layer, generator)


def unrank(players: int, layer: Stratum, ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Subsets of `layer.size` players in lexicographic order by rank, packed (k, ⌈m/8⌉); the last player is in
    at s = m/2.
    """
    if players <= WORD_PLAYERS:
        octets = _words(players, layer.size)[ranks].view(np.uint8).reshape(-1, 4)
        return np.ascontiguousarray(octets[:, : (players + 7) // 8])
    step = MOST_CELLS // players + 1
    parts = [unrank_by_number(players, layer, ranks[i : i + step]) for i in range(0, len(ranks), step)]
    return np.concatenate([np.packbits(part, axis=1) for part in parts])


@lru_cache(maxsize=32)
def _words(players: int, size: int) -> NDArray[np.uint32]:
    """The subsets of few players as big-endian words, the first player's bit first: from the largest down,
    that is the lexicographic order.
    """
    words = np.arange(1 << players, dtype=np.uint32)
    named = np.bitwise_count(words) == size
    if 2 * size == players:
        named &= words % 2 == 1
    return np.asarray(words[named][::-1] << (32 - players), dtype=">u4")


def unrank_by_number(players: int, layer: Stratum, ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """As `unrank`, for any number of players: their rows, (k, m).

    The combinatorial number system: a rank counted from the end is Σ C(c_n, n), with c_s > … > c_1 ≥ 0 the
    players counted from the last.
    """
    rows = np.zeros((len(ranks), players), dtype=bool)
    free, size = players, layer.size
    if 2 * size == players:
        rows[:, -1] = True
        free, size = players - 1, size - 1
    left = layer.total - 1 - ranks
    for n in range(size, 0, -1):
        table = np.array([comb(c, n) for c in range(free)], dtype=np.int64)
        found = np.searchsorted(table, left, side="right") - 1
        left -= table[found]
        rows[np.arange(len(rows)), free - 1 - found] = True
    return rows
