"""The parts of the base estimator that follow from the pairs of a sample, before any value is known.

It depends on the number of players, the seed and the sizes only, so one design serves many games. The formulas and
their names are those of regression.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import Portion, Stratum, portions
from sequela.timeshap.pair_order import Pairs

T = TypeVar("T")
MIN_VARIANCE_PAIRS = 4
"""The smallest number of pairs for a variance. Strata with fewer sampled pairs are merged with their neighbours."""
BLOCK_CELLS = 1 << 16
"""Approximate number of pairs × players that are summed at once. It limits memory use and fits in the cache."""
MAX_HELD_BYTES = 32 << 20
"""A design whose blocks need more bytes than this builds each block anew whenever it is needed."""
MAX_PARALLEL_PLAYERS = 256
"""Games with more players are summed one block after another, because their (m, m) matrices need a lot of memory."""
MAX_LEVERAGE = 1 - 1e-9
"""Keeps 1 - h above 0 if rounding takes a leverage to 1."""


def in_turn(jobs: Iterable[Callable[[], T]]) -> Iterable[T]:
    """Runs jobs one after another, in this thread."""
    return (job() for job in jobs)


class JobRunner(Protocol):
    """Runs jobs, possibly in parallel, and returns their results in the order of the jobs."""

    def __call__(self, jobs: Iterable[Callable[[], T]]) -> Iterable[T]:
        """Runs the jobs."""


def checking(run_jobs: JobRunner, check: Callable[[], None]) -> JobRunner:
    """Returns what runs jobs as `run_jobs` does, and calls `check` before each of them. It may raise to stop them."""

    def checked(jobs: Iterable[Callable[[], T]]) -> Iterator[Callable[[], T]]:
        for job in jobs:
            check()
            yield job

    def run(jobs: Iterable[Callable[[], T]]) -> Iterable[T]:
        return run_jobs(checked(jobs))

    return run


def one_by_one(run_jobs: JobRunner) -> JobRunner:
    """Returns what has `run_jobs` run each job alone, so that few of their results are held at a time."""

    def run(jobs: Iterable[Callable[[], T]]) -> Iterable[T]:
        return (result for job in jobs for result in run_jobs([job]))

    return run


@dataclass(frozen=True, slots=True, eq=False)
class PairBlock:
    """Some pairs with their weights.

    Attributes:
        x: √w x̃, (k, m).
        roots: √w, (k, 1).
        shifts: s - m/2, (k, 1).
        rows: The positions of the pairs among all known pairs, (k,).
    """

    x: NDArray[np.float64]
    roots: NDArray[np.float64]
    shifts: NDArray[np.float64]
    rows: NDArray[np.intp]

    def y(self, odd: NDArray[np.float64], mean_gain: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns √w y, (k, targets).

        Args:
            odd: The odd parts g of all known pairs, (pairs, targets).
            mean_gain: Δ/m, (targets,).
        """
        y = odd.take(self.rows, axis=0)
        y -= self.shifts * mean_gain
        y *= self.roots
        return y


@dataclass(frozen=True, slots=True, eq=False)
class InfluenceBlock:
    """Some pairs, with the factors that turn their residuals into influences on the attributions.

    Attributes:
        pairs: The pairs.
        squares: The squares of √w x̃ M, (k, m).
        divisors: (1 - h)^¾ with the leverage h, (k, 1).
        scales: The square root of the correction of each pair's group, (k, 1).
        groups: The number of each group that occurs, and its rows in the block.
    """

    pairs: PairBlock
    squares: NDArray[np.float64]
    divisors: NDArray[np.float64]
    scales: NDArray[np.float64]
    groups: tuple[tuple[int, slice], ...]


PairSource: TypeAlias = Callable[[], PairBlock]
"""Returns a block, which it either holds in memory or builds anew for each call."""
InfluenceSource: TypeAlias = Callable[[], InfluenceBlock]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Neighbouring sampled strata whose pairs have one variance.

    Attributes:
        strata: The strata.
        size: The number of their known pairs, k.
        correction: (1 - k/N) · k/(k - 1), for a finite population and for bias.
    """

    strata: tuple[int, ...]
    size: int
    correction: float


@dataclass(frozen=True, slots=True, eq=False)
class SampleDesign:
    """A sample of a game with m >= 2 players, without its values.

    Attributes:
        players: The number of players m.
        counts: How many pairs of each stratum are known, k_s.
        inverse: M = (X̃ᵀWX̃ + 11ᵀ)⁻¹, (m, m).
        groups: The sampled strata in groups.
        blocks: Blocks of all known pairs.
        influences: Blocks of those in sampled strata.
    """

    players: int
    counts: tuple[int, ...]
    inverse: NDArray[np.float64]
    groups: tuple[Group, ...]
    blocks: tuple[PairSource, ...]
    influences: tuple[InfluenceSource, ...]

    @property
    def pairs(self) -> int:
        """The number of known pairs."""
        return sum(self.counts)

    @property
    def nbytes(self) -> int:
        """About how many bytes the design holds if it holds its blocks (see `holds_blocks`)."""
        return self.inverse.nbytes + block_bytes(self.players, self.pairs)

    def runner(self, run_jobs: JobRunner) -> JobRunner:
        """Returns the runner for sums over the blocks: `run_jobs` if there are several, in turn if they are large."""
        if len(self.influences) <= 1:
            return in_turn
        return one_by_one(run_jobs) if self.players > MAX_PARALLEL_PLAYERS else run_jobs


def block_bytes(players: int, pairs: int) -> int:
    """Returns the size of the blocks of a design in bytes: x and squares, (pairs, players), and five numbers a pair."""
    return 8 * pairs * (2 * players + 5)


def holds_blocks(players: int, pairs: int) -> bool:
    """Returns whether a design of this size holds its blocks. Otherwise it holds the pairs themselves."""
    return block_bytes(players, pairs) <= MAX_HELD_BYTES


def sample_design(
    sampler: Pairs, layers: Sequence[Stratum], counts: Sequence[int], run_jobs: JobRunner = in_turn
) -> SampleDesign:
    """Returns the design of the first k_s pairs of each stratum.

    Args:
        sampler: The pairs of every stratum.
        layers: The strata.
        counts: k_s.
        run_jobs: Runs the summations. The jobs, and the order in which their results are added, are always the same,
            so that the design does not depend on it.
    """
    strata, taken = tuple(layers), tuple(counts)
    for stratum, count in enumerate(taken):
        # All pairs are drawn here, because a sampler must not draw in several threads at once.
        sampler.pairs(stratum, max(count - 1, 0), count)
    build = _Construction(sampler, strata, taken)
    run_jobs = in_turn if sampler.players > MAX_PARALLEL_PLAYERS else run_jobs
    parts = list(build.portions(build.sampled))
    sampled = [build.source(each) for each in parts]
    inverse, groups = build.inverse(sampled, run_jobs), build.groups()
    influences = [
        build.held(partial(_influences, pairs, inverse, groups, each))
        for pairs, each in zip(sampled, parts, strict=True)
    ]
    whole = [build.source(each) for each in build.portions(build.whole)]
    everything = (*sampled, *whole)
    return SampleDesign(sampler.players, taken, inverse, groups, everything, tuple(influences))


@dataclass(frozen=True, slots=True, eq=False)
class _Construction:
    """Builds a design. The attributes are arguments of `sample_design`."""

    sampler: Pairs
    layers: tuple[Stratum, ...]
    counts: tuple[int, ...]

    @property
    def sampled(self) -> list[int]:
        """The strata with some known and some unknown pairs."""
        return [i for i, k in enumerate(self.counts) if 0 < k < self.layers[i].total]

    @property
    def whole(self) -> list[int]:
        """The strata whose pairs are all known."""
        return [i for i, k in enumerate(self.counts) if k == self.layers[i].total]

    def portions(self, strata: Sequence[int]) -> Iterator[Portion]:
        """Yields the known pairs of some strata in blocks, which do not depend on how the sample grew."""
        counts = [count if index in strata else 0 for index, count in enumerate(self.counts)]
        return portions([0] * len(counts), counts, max(BLOCK_CELLS // self.sampler.players, 1))

    def source(self, parts: Portion) -> PairSource:
        """Returns the source of a block of pairs."""
        return self.held(partial(self._pairs, parts))

    def held(self, build: Callable[[], T]) -> Callable[[], T]:
        """Returns a source that holds its block, unless the design is too large for that."""
        if not holds_blocks(self.sampler.players, sum(self.counts)):
            return build
        block = build()
        return lambda: block

    def _pairs(self, parts: Portion) -> PairBlock:
        m = self.sampler.players
        sizes = np.array([self.layers[stratum].size for stratum, _, _ in parts])
        taken = np.array([self.counts[stratum] for stratum, _, _ in parts])
        lengths = np.array([stop - start for _, start, stop in parts])
        weights = np.where(2 * sizes == m, 1.0, 2.0) / (sizes * (m - sizes) * taken)
        # Rows are scaled by √w, so that X̃ᵀWX̃ is a plain product.
        roots = np.repeat(np.sqrt(weights), lengths)[:, None]
        x = np.concatenate([self.sampler.pairs(*part) for part in parts], dtype=np.float64)
        x -= np.repeat(sizes / m, lengths)[:, None]
        x *= roots
        firsts = np.concatenate([[0], np.cumsum(self.counts)])
        rows = np.concatenate([firsts[i] + np.arange(start, stop) for i, start, stop in parts])
        return PairBlock(x, roots, np.repeat(sizes - m / 2, lengths)[:, None], rows)

    def inverse(self, sampled: Sequence[PairSource], run_jobs: JobRunner) -> NDArray[np.float64]:
        """Returns M."""
        m = self.sampler.players
        # Strata whose pairs are all known are added to X̃ᵀWX̃ by their formula, as a multiple of I - 11ᵀ/m.
        known = sum(1.0 if 2 * self.layers[i].size == m else 2.0 for i in self.whole) / (m * (m - 1))
        # The matrix of ones makes the sum invertible.
        normal = known * (np.eye(m) - 1 / m) + 1.0
        for gram in run_jobs(partial(_gram, pairs) for pairs in sampled):
            normal += gram
        # The inverse itself is needed for the leverages and the influences, not only a solution.
        return np.linalg.inv(normal).astype(np.float64, copy=False)

    def groups(self) -> tuple[Group, ...]:
        """Returns the sampled strata in groups of neighbours with at least `MIN_VARIANCE_PAIRS` pairs each."""
        groups: list[list[int]] = []
        current: list[int] = []
        for index in self.sampled:
            current.append(index)
            if sum(self.counts[i] for i in current) >= MIN_VARIANCE_PAIRS:
                groups.append(current)
                current = []
        if current and groups:
            groups[-1] += current
        elif current:
            groups.append(current)
        return tuple(map(self._group, groups))

    def _group(self, strata: Sequence[int]) -> Group:
        k, total = sum(self.counts[i] for i in strata), sum(self.layers[i].total for i in strata)
        # A group of one pair does not occur above the minimum budget; max() keeps it from dividing by 0.
        return Group(tuple(strata), k, (1 - k / total) * k / max(k - 1, 1))


def _gram(source: PairSource) -> NDArray[np.float64]:
    """Returns the contribution of some pairs to X̃ᵀWX̃."""
    x = source().x
    return x.T @ x


def _influences(
    source: PairSource, inverse: NDArray[np.float64], groups: Sequence[Group], parts: Portion
) -> InfluenceBlock:
    """Returns the influences of the pairs `parts`, which `source` returns."""
    pairs = source()
    reached = pairs.x @ inverse
    leverage = np.einsum("ij,ij->i", reached, pairs.x)
    # (1 - h)^¾ from two square roots, which are faster than a power.
    root = np.sqrt(1 - np.minimum(leverage, MAX_LEVERAGE))[:, None]
    owner = {stratum: number for number, group in enumerate(groups) for stratum in group.strata}
    owners = np.repeat([owner[i] for i, _, _ in parts], [stop - start for _, start, stop in parts])
    scales = np.sqrt([group.correction for group in groups])[owners][:, None]
    # Groups are neighbours, so the rows of each are contiguous.
    numbers, begins, lengths = np.unique(owners, return_index=True, return_counts=True)
    spans = [slice(int(begin), int(begin + n)) for begin, n in zip(begins, lengths, strict=True)]
    return InfluenceBlock(
        pairs,
        np.square(reached, out=reached),
        root * np.sqrt(root),
        scales,
        tuple(zip(numbers.tolist(), spans, strict=True)),
    )
