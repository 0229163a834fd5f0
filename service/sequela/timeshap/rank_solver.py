"""The estimator of models in this process: the base estimator, two processes with rank kernels, and sparse fits.

Players must be in the order of their ranks (rank_kernels.py). Each target is given the solution with the smallest error
bars. Everything that does not depend on values comes from designs, which can be reused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import GROWTH, all_coalitions, allocation, stages
from sequela.timeshap.control_variate.correction import variate_solutions
from sequela.timeshap.control_variate.further_pairs import KnownValues, extended
from sequela.timeshap.control_variate.rank_kernels import EFFECTIVE_PLAYERS, rank_kernel
from sequela.timeshap.control_variate.sparse_solver import Bars, PartlySeen, sparse_solution
from sequela.timeshap.designs import Designs
from sequela.timeshap.regression import Solution, more_precise, solve_design
from sequela.timeshap.sample_design import JobRunner, SampleDesign, checking, in_turn

MAX_COALITIONS = 2048
"""The processes use at most this many coalitions of a sample, because memory grows with the square of the number of
pairs, and the time to build a process with its cube. Further pairs correct them (further_pairs.py).
"""
MAX_PLAYERS = 512
"""Games with more players are solved by the base estimator."""
MAX_FURTHER_BYTES = 1 << 28
"""Further pairs correct the processes only if that takes at most this many bytes of memory (`further_bytes`)."""
MAX_SPARSE_PLAYERS = 64
MAX_SPARSE_TARGETS = 4
"""Sparse fits are tried in games of at most so many players and targets. With more players it takes long to see that a
game has none, and each target needs fits of its own.
"""
MIN_SHARE, MIN_FIRST_SHARE = 0.2, 0.6
"""A sparse fit is tried if the smallest error bars are at least this share of the base estimator's. Otherwise a process
describes the game well. The second number holds for samples that the processes know completely: most levels of neural
networks that need more than the first stage end there, and a trial for each would cost a quarter of the processor time.
"""
ROUNDING = 1e-6
"""Error bars below this share of the attributions are those of a float32 model's rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class RankedSolution:
    """The solution of a game, and what the base estimator alone gave.

    Attributes:
        solution: For each target, the solution with the smallest error bars.
        base: The solution of the base estimator.
    """

    solution: Solution
    base: Solution


def solve_ranked(
    designs: Designs,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner = in_turn,
    check: Callable[[], None] = lambda: None,
) -> RankedSolution:
    """Solves a game with m >= 2 players in the order of their ranks.

    Args:
        designs: The designs of the game.
        odd: For each stratum the odd parts g of its known pairs, (k_s, targets).
        gain: Δ, (targets,).
        run_jobs: As in `regression.solve`.
        check: Called before each block of pairs that corrects a process, and before each term of a sparse fit, which
            can take half a second in all. If it raises, there is no solution.
    """
    found = _solved(designs, odd, gain, run_jobs, partial(_extended, check))
    return _with_sparse_fits(found, designs, odd, gain, run_jobs, check)


def solve_known(
    designs: Designs,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner = in_turn,
) -> RankedSolution:
    """Solves a game as `solve_ranked`, but further pairs do not correct the processes, which takes less time.

    Each target is given the solution with the smallest error bars: that of the base estimator on all pairs, or of a
    process.
    """
    return _solved(designs, odd, gain, run_jobs, _unchanged)


_Further: TypeAlias = Callable[
    [Designs, "_Known", Sequence[NDArray[np.float64]], NDArray[np.float64], JobRunner], Sequence[Solution]
]
"""Returns the solutions of processes for a sample that is larger than they are."""


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """The part of a sample that the processes know.

    Attributes:
        sample: The design of the base estimator for the whole sample.
        counts: The number of pairs of each stratum, a_s.
        base: The solution of the base estimator from them.
        processes: Those of the processes.
    """

    sample: SampleDesign
    counts: tuple[int, ...]
    base: Solution
    processes: Sequence[Solution]


def _solved(
    designs: Designs,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner,
    further: _Further,
) -> RankedSolution:
    counts = tuple(len(rows) for rows in odd)
    sample = designs.sample(counts, run_jobs)
    used = process_counts(designs.players, counts)
    # Without sampled strata, the base estimator solves the game exactly.
    if not used or not sample.groups:
        base = solve_design(sample, np.concatenate(odd), gain, run_jobs)
        return RankedSolution(base, base)
    values = np.concatenate([rows[:count] for rows, count in zip(odd, used, strict=True)])
    processes = [designs.process(used, each) for each in EFFECTIVE_PLAYERS]
    base, *rivals = variate_solutions(designs.sample(used, run_jobs), processes, values, gain, run_jobs)
    if used != counts:
        rivals = [*further(designs, _Known(sample, used, base, rivals), odd, gain, run_jobs)]
        base = solve_design(sample, np.concatenate(odd), gain, run_jobs)
    return RankedSolution(reduce(more_precise, rivals, base), base)


def _unchanged(_: Designs, known: _Known, *__: object) -> Sequence[Solution]:
    """Returns the solutions from the known pairs."""
    return known.processes


def _extended(
    check: Callable[[], None],
    designs: Designs,
    known: _Known,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner,
) -> Sequence[Solution]:
    """Returns the solutions from all pairs of those processes that have the smallest error bars for some target."""
    spreads = [np.square(each.errors).sum(axis=0) for each in (known.base, *known.processes)]
    surest = set(np.array(spreads).argmin(axis=0).tolist()) - {0}
    if not surest:
        return []
    counts = [len(rows) for rows in odd]
    if further_bytes(designs.players, sum(counts), len(gain)) > MAX_FURTHER_BYTES:
        return known.processes
    design = designs.further(known.counts, counts)
    values = np.concatenate([gain[None] / 2, *(rows[:a] for rows, a in zip(odd, known.counts, strict=True))])
    every, found = np.concatenate(odd, dtype=np.float64), []
    for number in sorted(surest):
        effective = EFFECTIVE_PLAYERS[number - 1]
        kernel, process = rank_kernel(designs.players, effective), designs.process(known.counts, effective)
        learnt = KnownValues(kernel, process, values, known.processes[number - 1])
        found.append(extended(known.sample, design, learnt, every, checking(run_jobs, check)))
    return found


def _with_sparse_fits(
    found: RankedSolution,
    designs: Designs,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner,
    check: Callable[[], None],
) -> RankedSolution:
    """Returns the solution in which targets have that of a sparse fit if its error bars are smaller."""
    counts = tuple(len(rows) for rows in odd)
    if not may_be_sparse(designs.players, counts, len(gain)):
        return found
    used = process_counts(designs.players, counts)
    least = MIN_FIRST_SHARE if used == counts else MIN_SHARE
    rough = {target: bars for target, bars in _unsure(found).items() if bars.share >= least}
    if not rough:
        return found
    every = np.concatenate(odd, dtype=np.float64)
    sample = partial(designs.sample, counts, run_jobs)
    pairs = PartlySeen(sample, designs.sparse(used), designs.further(used, counts))
    values, errors = found.solution.values.copy(), np.full(found.solution.errors.shape, np.inf)
    for target, bars in rough.items():
        fitted = sparse_solution(pairs, every[:, target], float(gain[target]), bars, run_jobs, check)
        if fitted:
            values[:, [target]], errors[:, [target]] = fitted.values, fitted.errors
    return RankedSolution(more_precise(found.solution, Solution(values, errors)), found.base)


def _unsure(found: RankedSolution) -> dict[int, Bars]:
    """Returns the error bars of the targets that the base estimator does not solve exactly, up to rounding."""
    base, solution = found.base, found.solution
    inexact = np.linalg.norm(base.errors, axis=0) > ROUNDING * np.linalg.norm(base.values, axis=0)
    return {
        target: Bars(base.errors[:, [target]], solution.errors[:, [target]])
        for target in np.flatnonzero(inexact).tolist()
    }


def may_be_sparse(players: int, counts: Sequence[int], targets: int) -> bool:
    """Returns whether a game may have a sparse fit: it must have as many known pairs as the processes can use."""
    used, pairs = sum(process_counts(players, counts)), sum(counts)
    return (
        0 < used == sum(allocation(players, MAX_COALITIONS))
        and 2 * pairs + 2 < all_coalitions(players)
        and players <= MAX_SPARSE_PLAYERS
        and targets <= MAX_SPARSE_TARGETS
        and further_bytes(players, pairs, targets) <= MAX_FURTHER_BYTES
    )


def further_bytes(players: int, pairs: int, targets: int) -> int:
    """Returns about how many bytes it takes to correct the processes: the pairs, twice, and six games side by side."""
    return pairs * (2 * players + 6 * targets * 8)


def ranked_stages(players: int, budget: int, at_once: int, fewest: int) -> tuple[int, ...]:
    """Returns the sizes of the nested stages. Arguments and result are those of `coalitions.stages`.

    Between `fewest` and `MAX_COALITIONS` there is only one stage, so that few designs of processes have to be kept.
    """
    sizes = stages(players, budget, at_once, fewest)
    first = [each for each in sizes if each <= fewest]
    if not first or sizes[-1] <= MAX_COALITIONS:
        return sizes
    later = [int(np.sqrt(fewest * MAX_COALITIONS)), MAX_COALITIONS]
    while later[-1] * GROWTH < sizes[-1]:
        later.append(int(np.ceil(later[-1] * GROWTH)))
    return (*first, *later[:-1], sizes[-1]) if later[-1] < sizes[-1] else (*first, sizes[-1])


def process_counts(players: int, counts: Sequence[int]) -> tuple[int, ...]:
    """Returns how many known pairs of each stratum the processes use; empty if the game cannot have processes."""
    most = allocation(players, MAX_COALITIONS)
    used = tuple(min(count, limit) for count, limit in zip(counts, most, strict=True))
    return used if players < sum(used) and players <= MAX_PLAYERS else ()
