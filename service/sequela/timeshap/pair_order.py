"""The order in which the pairs of a stratum are evaluated: random, determined by a seed, and without replacement.

coalitions.py defines the pairs, and how many pairs of each stratum a sample takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import Stratum, all_coalitions, strata

MAX_PERMUTED = 1 << 14
"""The order of a stratum with at most this many pairs is a permutation of all of them. In larger strata, pairs are
drawn one after another, and repeats are dropped. Changing this value changes the sample that belongs to a seed.
"""
MIN_CHUNK_CELLS = 1 << 13
MAX_CHUNK_CELLS = 1 << 17
"""Approximate number of players × pairs to draw or unrank at once: large enough to make up for the overhead of a call,
and small enough for the cache.
"""
MAX_LOOKUP_PLAYERS = 20
"""Subsets of up to this many players are looked up in a table of all subsets."""


class Pairs(Protocol):
    """The pairs of every stratum, in a fixed order."""

    @property
    def players(self) -> int:
        """The number of players m."""
        ...

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """Returns the named sides (stop - start, m) of the pairs start … stop - 1 of a stratum. Stratum 0 has s = 1."""
        ...


def pairs_of(players: int, sizes: tuple[int, ...], seed: int) -> Pairs:
    """Returns the pairs for stages of these sizes. If the only stage is the whole game, the order is not random."""
    whole = sizes == (all_coalitions(players),)
    return WholeGame(players) if whole else PairSampler(players, seed)


@dataclass(frozen=True, slots=True)
class WholeGame:
    """All pairs of a small game in lexicographic order. Implements `Pairs`."""

    players: int

    def pairs(self, stratum: int, start: int, stop: int) -> NDArray[np.bool_]:
        """As in `Pairs`. The array is read-only."""
        return _all_pairs(self.players, strata(self.players)[stratum])[start:stop]


@lru_cache(maxsize=64)
def _all_pairs(players: int, layer: Stratum) -> NDArray[np.bool_]:
    rows = np.unpackbits(unrank(players, layer, np.arange(layer.total)), axis=1, count=players).view(bool)
    rows.flags.writeable = False
    return rows


class PairSampler:
    """Pairs in the random order of a seed, drawn when they are first requested. Implements `Pairs`.

    Pairs are stored as packed bits. A pair takes m/8 bytes, plus 8 bytes in a stratum that is permuted, or about 200
    bytes in a stratum that is drawn.
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
        """Returns the first `count` pairs or more, packed (k, ⌈m/8⌉)."""
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
        """Returns the first `count` pairs or more, packed (k, ⌈m/8⌉)."""
        have = len(self._packed)
        if have < count:
            # Drawing more pairs than there are would never end.
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
        """Returns random subsets, packed: the players with the smallest random keys, or at s = m/2 the named side."""
        size = self._layer.size
        keys = self._generator.random((count, self._players))
        rows = keys <= np.partition(keys, size - 1, axis=1)[:, size - 1 : size]
        if 2 * size == self._players:
            # The named side contains the last player, so replace subsets without it by their complements.
            rows ^= ~rows[:, -1:]
        packed = np.packbits(rows, axis=1)
        # If two keys are equal, a subset may have one player too many. Such subsets are dropped.
        fits = np.bitwise_count(packed).sum(axis=1) == size
        return np.asarray(packed[fits], dtype=np.uint8)


def _ahead(players: int, count: int, have: int) -> int:
    """Returns how many pairs to draw if `count` are requested and `have` exist. Later stages will request more."""
    return max(count, 2 * have, MIN_CHUNK_CELLS // players)


def _order(players: int, layer: Stratum, seed: int) -> _Permutation | _RandomSubsets:
    # Each stratum has its own generator, so its order does not depend on what was drawn from the others.
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, players, layer.size])))
    permuted = players <= MAX_LOOKUP_PLAYERS or layer.total <= MAX_PERMUTED
    return (_Permutation if permuted else _RandomSubsets)(players, layer, generator)


def unrank(players: int, layer: Stratum, ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns the subsets of a stratum with these ranks in lexicographic order, packed (k, ⌈m/8⌉).

    At s = m/2 only the subsets that contain the last player are counted.
    """
    if players <= MAX_LOOKUP_PLAYERS:
        octets = _words(players, layer.size)[ranks].view(np.uint8).reshape(-1, 4)
        return np.ascontiguousarray(octets[:, : (players + 7) // 8])
    step = MAX_CHUNK_CELLS // players + 1
    parts = [unrank_by_number(players, layer, ranks[i : i + step]) for i in range(0, len(ranks), step)]
    return np.concatenate([np.packbits(part, axis=1) for part in parts])


@lru_cache(maxsize=32)
def _words(players: int, size: int) -> NDArray[np.uint32]:
    """Returns all subsets of a stratum in lexicographic order, as big-endian words, the first player's bit first.

    Lexicographic order of rows is descending order of these words.
    """
    words = np.arange(1 << players, dtype=np.uint32)
    named = np.bitwise_count(words) == size
    if 2 * size == players:
        named &= words % 2 == 1
    return np.asarray(words[named][::-1] << (32 - players), dtype=">u4")


def unrank_by_number(players: int, layer: Stratum, ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Like `unrank`, but for any number of players and not packed, (k, m).

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
        # c_n is the largest c for which C(c, n) does not exceed the rest of the rank.
        table = np.array([comb(c, n) for c in range(free)], dtype=np.int64)
        found = np.searchsorted(table, left, side="right") - 1
        left -= table[found]
        rows[np.arange(len(rows)), free - 1 - found] = True
    return rows
