"""Keeps designs between explanations, since most alerts share their numbers of players and their seed."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.explain.limits import Limits
from sequela.timeshap.coalitions import Portion, all_coalitions
from sequela.timeshap.control_variate.further_pairs import FurtherDesign
from sequela.timeshap.control_variate.process_design import ProcessDesign
from sequela.timeshap.control_variate.sparse_fit import SparseDesign
from sequela.timeshap.designs import NewDesigns
from sequela.timeshap.pair_order import Pairs, pairs_of
from sequela.timeshap.sample_design import JobRunner, SampleDesign, holds_blocks, in_turn

ENTRY_BYTES = 1024
"""Approximate memory of an entry besides its arrays."""
MAX_KEPT_SHARE = 0.25
"""A single entry may take this share of the cache at most. Larger ones are built whenever they are needed."""

ASIDE_REST = 4.0
"""After a design was built in another thread, no other design is built there for this many times the processor time
that it took. Answers that the deadline cuts short have samples of many sizes, and building a design for each of them
would take more time than the answers.
"""


class Sized(Protocol):
    """Something that knows its size."""

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        ...


S = TypeVar("S", bound=Sized)


class DesignCache:
    """Designs, shared by all requests. The least recently used ones are dropped first. Thread-safe.

    Args:
        max_bytes: The memory that it may use, including `ENTRY_BYTES` for each entry.
        clock: Returns the time in seconds.
        processor_clock: Returns the processor time of the calling thread in seconds.
    """

    def __init__(
        self,
        max_bytes: int = Limits().max_design_bytes,
        clock: Callable[[], float] = time.monotonic,
        processor_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._clock, self._processor_clock = clock, processor_clock
        self._rests_until = -math.inf
        self._lock, self._building = threading.Lock(), threading.Lock()
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """How many bytes are in use."""
        return self._bytes

    def get(self, key: Hashable, build: Callable[[], S]) -> S:
        """Returns the entry with this key, or builds it. The key must contain everything that the entry depends on."""
        with self._lock:
            known: S | None = self._entries.get(key)
            if known is not None:
                self._entries.move_to_end(key)
                return known
        # Built without the lock, so that nobody waits. Two requests may build the same, and get equal results.
        built = build()
        if _entry_bytes(built) <= MAX_KEPT_SHARE * self._max_bytes:
            with self._lock:
                self._keep(key, built)
        return built

    def _keep(self, key: Hashable, built: Sized) -> None:
        if key in self._entries:
            return
        self._entries[key] = built
        self._bytes += _entry_bytes(built)
        while self._bytes > self._max_bytes:
            self._bytes -= _entry_bytes(self._entries.popitem(last=False)[1])

    def build_aside(self, build: Callable[[], object]) -> None:
        """Runs `build` in another thread, for later requests, unless that thread is busy or resting (`ASIDE_REST`)."""
        if self._clock() >= self._rests_until and self._building.acquire(blocking=False):
            threading.Thread(target=self._build_aside, args=(build,), name="designs", daemon=True).start()

    def _build_aside(self, build: Callable[[], object]) -> None:
        started = self._processor_clock()
        try:
            build()
        finally:
            self._rests_until = self._clock() + ASIDE_REST * (self._processor_clock() - started)
            self._building.release()

    def holds(self, key: Hashable) -> bool:
        """Returns whether there is an entry with this key."""
        with self._lock:
            return key in self._entries


def _entry_bytes(entry: Sized) -> int:
    return entry.nbytes + ENTRY_BYTES


@dataclass(frozen=True, eq=False)
class GameDesigns:
    """The designs of one game, from a cache. Implements `timeshap.designs.Designs`.

    Attributes:
        cache: Keeps the designs.
        players: The number of players m.
        sizes: The sizes of the stages, in coalitions.
        seed: The seed of the sample.
    """

    cache: DesignCache
    players: int
    sizes: tuple[int, ...]
    seed: int

    @cached_property
    def sampler(self) -> Pairs:
        """The pairs of every stratum. If all designs are in the cache, it draws no pair."""
        return pairs_of(self.players, self.sizes, self.seed)

    @property
    def _new(self) -> NewDesigns:
        return NewDesigns(self.sampler)

    @cached_property
    def _game(self) -> tuple[int, int | None]:
        """What the order of the pairs depends on. A game with a single stage is enumerated, without a seed."""
        whole = self.sizes == (all_coalitions(self.players),)
        return self.players, None if whole else self.seed

    def pairs(self, portion: Portion) -> NDArray[np.bool_]:
        """Returns the named sides of some pairs, (k, m). They must not be changed."""
        return self.cache.get(("pairs", *self._game, tuple(portion)), lambda: self._drawn(portion))

    def _drawn(self, portion: Portion) -> NDArray[np.bool_]:
        pairs = np.concatenate([self.sampler.pairs(*part) for part in portion])
        pairs.flags.writeable = False
        return pairs

    def sample(self, counts: Sequence[int], run_jobs: JobRunner = in_turn) -> SampleDesign:
        """As in `Designs`."""
        taken = tuple(counts)
        if not holds_blocks(self.players, sum(taken)):
            return self._new.sample(taken, run_jobs)
        return self.cache.get(("sample", *self._game, taken), lambda: self._new.sample(taken, run_jobs))

    def process(self, counts: Sequence[int], effective_players: float) -> ProcessDesign:
        """As in `Designs`."""
        return self.cache.get(
            self._process_key(counts, effective_players),
            lambda: self._new.process(counts, effective_players),
        )

    def further(self, known: Sequence[int], counts: Sequence[int]) -> FurtherDesign:
        """As in `Designs`."""
        first, taken = tuple(known), tuple(counts)
        key = ("further", *self._game, first, taken)
        return self.cache.get(key, lambda: self._new.further(first, taken))

    def sparse(self, counts: Sequence[int]) -> SparseDesign:
        """As in `Designs`."""
        return self.cache.get(self._sparse_key(counts), lambda: self._new.sparse(counts))

    def prepare_aside(self, counts: Sequence[int], effective_players: Iterable[float]) -> None:
        """Builds processes in another thread, for later games of this kind."""
        # A sampler must not be shared by threads, so the thread has designs of its own.
        own = GameDesigns(self.cache, self.players, self.sizes, self.seed)
        self.cache.build_aside(lambda: [own.process(counts, each) for each in effective_players])

    def holds_process(self, counts: Sequence[int], effective_players: float) -> bool:
        """Returns whether the design of a process is kept, so that solving takes little time."""
        return self.cache.holds(self._process_key(counts, effective_players))

    def holds_sparse(self, counts: Sequence[int]) -> bool:
        """Returns whether the design of sparse fits is kept."""
        return self.cache.holds(self._sparse_key(counts))

    def _sparse_key(self, counts: Sequence[int]) -> Hashable:
        return ("sparse", *self._game, tuple(counts))

    def _process_key(self, counts: Sequence[int], effective_players: float) -> Hashable:
        return ("process", *self._game, tuple(counts), effective_players)
