"""Which coalitions are evaluated: complementary pairs, by size, drawn without replacement.

Only the odd part of a game matters to its Shapley values, so coalitions come in pairs {S, Sᶜ}. A pair belongs to the
stratum of its smaller size s = 1 … ⌊m/2⌋. It is named by its smaller side; at s = m/2 by the side that holds the last
player. Each stratum has one random order that follows from the seed, and a budget takes the first k_s pairs of it. So
smaller samples are contained in larger ones, and the budget alone reproduces a sample. A stratum that is taken whole
is enumerated.

The weights of the coalitions are KernelSHAP's (TimeSHAP Eq. 2; docs/estimator.md, "Which coalitions").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

MAX_PERMUTED = 1 << 14
"""Pairs of a stratum up to which its order is a permutation of all of them. In larger strata pairs are drawn one after
the other, and repeats are dropped. Changing it changes the samples that seeds stand for.
"""
MIN_CHUNK_CELLS = 1 << 13
MAX_CHUNK_CELLS = 1 << 17
"""Players × pairs that are drawn or unranked at a time, about: enough to make a call worth its overhead, and few enough
to stay in the cache.
"""
MAX_LOOKUP_PLAYERS = 20
"""Subsets of up to this many players are looked up in a table of all of them."""
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


class Pairs(Protocol):
    """The pairs of every stratum, in a fixed order."""

    @property
    def players(self) -> int:
        """The number of players m."""
        ...

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """The named sides (stop - start, m) of the pairs start … stop - 1 of a stratum; stratum 0 is size 1."""
        ...


def pairs_of(players: int, sizes: tuple[int, ...], seed: int) -> Pairs:
    """The pairs for stages of these sizes. If the only stage is the whole game, no random order is needed."""
    whole = sizes == (all_coalitions(players),)
    return WholeGame(players) if whole else PairSampler(players, seed)


@dataclass(frozen=True, slots=True)
class WholeGame:
    """All pairs of a small game in lexicographic order. Implements `Pairs`."""

    players: int

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """As in `Pairs`. The array is read-only."""
        return _ranked(self.players, strata(self.players)[stratum])[start:stop]


@lru_cache(maxsize=64)
def _ranked(players: int, layer: Stratum) -> NDArray[np.bool_]:
    rows = np.unpackbits(unrank(players, layer, np.arange(layer.total)), axis=1, count=players).view(bool)
    rows.flags.writeable = False
    return rows


class PairSampler:
    """Pairs in the random order of a seed, drawn as far as they are asked for. Implements `Pairs`.

    Pairs are kept packed. A pair takes m/8 bytes, 8 more in a stratum that is permuted, and about 200 more in a
    stratum that is drawn.
    """

    def __init__(self, players: int, seed: int) -> None:
        self.players = players
        self._seed = seed
        self._orders: dict[int, _Permutation | _RandomSubsets] = {}

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """As in `Pairs`."""
        if start >= stop:
            return np.empty((0, self.players), dtype=bool)
        if stratum not in self._orders:
            self._orders[stratum] = _order(self.players, strata(self.players)[stratum], self._seed)
        packed = self._orders[stratum].take(stop)[start:stop]
        return np.unpackbits(packed, axis=1, count=self.players).view(bool)


class _Permutation:
    """The order of a small stratum: a permutation of the ranks of all its pairs."""

    def __init__(self, players: int, layer: Stratum, generator: np.random.Generator) -> None:
        self._players, self._layer = players, layer
        self._order = generator.permutation(layer.total)
        self._packed = np.empty((0, (players + 7) // 8), dtype=np.uint8)

    def take(self, count: int) -> NDArray[np.uint8]:
        """The first `count` pairs or more, packed (k, ⌈m/8⌉)."""
        have = len(self._packed)
        if have < count:
            ranks = self._order[have : _ahead(self._players, count, have)]
            self._packed = np.concatenate([self._packed, unrank(self._players, self._layer, ranks)])
        return self._packed


class _RandomSubsets:
    """The order of a large stratum: random subsets of its size, without repeats."""

    def __init__(self, players: int, layer: Stratum, generator: np.random.Generator) -> None:
        self._players, self._layer, self._generator = players, layer, generator
        self._seen: dict[bytes, None] = {}
        self._packed = np.empty((0, (players + 7) // 8), dtype=np.uint8)

    def take(self, count: int) -> NDArray[np.uint8]:
        """The first `count` pairs or more, packed (k, ⌈m/8⌉)."""
        have = len(self._packed)
        if have < count:
            # Asking for more pairs than there are would never end.
            self._draw(min(_ahead(self._players, count, have), self._layer.total))
            self._packed = np.frombuffer(b"".join(self._seen), dtype=np.uint8).reshape(len(self._seen), -1)
        return self._packed

    def _draw(self, count: int) -> None:
        most = max(MAX_CHUNK_CELLS // self._players, 8)
        while (missing := count - len(self._seen)) > 0:
            # Draw a minimum even if few are missing, because near the end of a stratum most draws are repeats.
            packed = self._subsets(min(max(missing, MIN_CHUNK_CELLS // self._players), most))
            # A dictionary keeps the first of equal keys, and their order.
            self._seen.update(dict.fromkeys(packed.view(f"V{packed.shape[1]}").ravel().tolist()))

    def _subsets(self, count: int) -> NDArray[np.uint8]:
        """Random subsets, packed: the players whose random keys are the smallest. Of two halves, the named side."""
        size = self._layer.size
        keys = self._generator.random((count, self._players))
        rows = keys <= np.partition(keys, size - 1, axis=1)[:, size - 1 : size]
        if 2 * size == self._players:
            rows ^= ~rows[:, -1:]
        packed = np.packbits(rows, axis=1)
        # If two keys are equal, one player too many may be in; such a subset is dropped.
        fits = np.bitwise_count(packed).sum(axis=1) == size
        return np.asarray(packed[fits], dtype=np.uint8)


def _ahead(players: int, count: int, have: int) -> int:
    """How many pairs to draw if `count` are asked for and `have` are there. Later stages will ask for more."""
    return max(count, 2 * have, MIN_CHUNK_CELLS // players)


def _order(players: int, layer: Stratum, seed: int) -> _Permutation | _RandomSubsets:
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, players, layer.size])))
    permuted = players <= MAX_LOOKUP_PLAYERS or layer.total <= MAX_PERMUTED
    return (_Permutation if permuted else _RandomSubsets)(players, layer, generator)


def unrank(players: int, layer: Stratum, ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The subsets of a stratum with these ranks in lexicographic order, packed (k, ⌈m/8⌉).

    At s = m/2 only the subsets that hold the last player are counted.
    """
    if players <= MAX_LOOKUP_PLAYERS:
        octets = _words(players, layer.size)[ranks].view(np.uint8).reshape(-1, 4)
        return np.ascontiguousarray(octets[:, : (players + 7) // 8])
    step = MAX_CHUNK_CELLS // players + 1
    parts = [unrank_by_number(players, layer, ranks[i : i + step]) for i in range(0, len(ranks), step)]
    return np.concatenate([np.packbits(part, axis=1) for part in parts])


@lru_cache(maxsize=32)
def _words(players: int, size: int) -> NDArray[np.uint32]:
    """All subsets of a stratum in lexicographic order, as big-endian words with the first player's bit first.

    Lexicographic order of rows is descending order of these words.
    """
    words = np.arange(1 << players, dtype=np.uint32)
    named = np.bitwise_count(words) == size
    if 2 * size == players:
        named &= words % 2 == 1
    return np.asarray(words[named][::-1] << (32 - players), dtype=">u4")


def unrank_by_number(players: int, layer: Stratum, ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """As `unrank` for any number of players, not packed: (k, m).

    Uses the combinatorial number system: a rank counted from the end is Σ C(c_n, n), with c_s > … > c_1 ≥ 0 the
    players of the subset, counted from the last player.
    """
    rows = np.zeros((len(ranks), players), dtype=bool)
    free, size = players, layer.size
    if 2 * size == players:
        rows[:, -1] = True
        free, size = players - 1, size - 1
    left = layer.total - 1 - ranks
    for n in range(size, 0, -1):
        # c_n is the largest c with C(c, n) within what is left of the rank.
        table = np.array([comb(c, n) for c in range(free)], dtype=np.int64)
        found = np.searchsorted(table, left, side="right") - 1
        left -= table[found]
        rows[np.arange(len(rows)), free - 1 - found] = True
    return rows
