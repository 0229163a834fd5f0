"""The estimator of models in this process: the base estimator, and two Gaussian processes with rank kernels.

Players must be in the order of their ranks (rank_kernels.py). Each target is given the solution with the smallest error
bars. All that does not depend on values comes from designs, which can be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import GROWTH, allocation, stages
from sequela.timeshap.control_variate.correction import variate_solutions
from sequela.timeshap.control_variate.further_pairs import KnownValues, extended, has_enough
from sequela.timeshap.control_variate.rank_kernels import EFFECTIVE_PLAYERS, rank_kernel
from sequela.timeshap.designs import Designs
from sequela.timeshap.regression import Solution, solve_design, surer
from sequela.timeshap.sample_design import JobRunner, in_turn

MAX_COALITIONS = 2048
"""The processes know the part of a sample that has at most this many coalitions, because memory grows with the square
of the pairs, and the time to build a process with their cube. Further pairs show what they lack (further_pairs.py).
"""
MAX_PLAYERS = 512
"""Games with more players are solved by the base estimator."""


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
) -> RankedSolution:
    """Solves a game with m >= 2 players in the order of their ranks.

    Args:
        designs: The designs of the game.
        odd: For each stratum the odd parts g of its known pairs, (k_s, targets).
        gain: Δ, (targets,).
        run_jobs: As in `regression.solve`.
    """
    counts = tuple(len(rows) for rows in odd)
    sample = designs.sample(counts, run_jobs)
    used = process_counts(designs.players, counts)
    # Without sampled strata, the base estimator solves the game exactly.
    if not used or not sample.groups:
        base = solve_design(sample, np.concatenate(odd), gain, run_jobs)
        return RankedSolution(base, base)
    known = np.concatenate([rows[:count] for rows, count in zip(odd, used, strict=True)])
    processes = [designs.process(used, each) for each in EFFECTIVE_PLAYERS]
    part, *rivals = variate_solutions(designs.sample(used, run_jobs), processes, known, gain, run_jobs)
    if used == counts:
        return RankedSolution(reduce(surer, rivals, part), part)
    base = solve_design(sample, np.concatenate(odd), gain, run_jobs)
    if has_enough(designs.players, used, counts):
        rivals = _extended(designs, used, odd, gain, part, rivals, run_jobs)
    return RankedSolution(reduce(surer, rivals, base), base)


def _extended(
    designs: Designs,
    used: Sequence[int],
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    part: Solution,
    rivals: Sequence[Solution],
    run_jobs: JobRunner,
) -> list[Solution]:
    """Returns the solutions of the processes with the further pairs, for those that are the surest for any target.

    Args:
        designs: The designs of the game.
        used: How many pairs of each stratum the processes know.
        odd: The odd parts of all pairs, by stratum.
        gain: Δ, (targets,).
        part: The solution of the base estimator from the pairs that the processes know.
        rivals: The solutions of the processes from these.
        run_jobs: As in `regression.solve`.
    """
    spreads = np.array([np.square(each.errors).sum(axis=0) for each in (part, *rivals)])
    surest = set(spreads.argmin(axis=0).tolist()) - {0}
    if not surest:
        return []
    design = designs.further(used, [len(rows) for rows in odd], run_jobs)
    known = np.concatenate([gain[None] / 2, *(rows[:a] for rows, a in zip(odd, used, strict=True))])
    further = np.concatenate([rows[a:] for rows, a in zip(odd, used, strict=True)])
    found = []
    for number in sorted(surest):
        effective = EFFECTIVE_PLAYERS[number - 1]
        process = designs.process(used, effective)
        values = KnownValues(rank_kernel(designs.players, effective), process, known)
        found.append(extended(design, values, rivals[number - 1], further, run_jobs))
    return found


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
    """Returns how many of the known pairs of each stratum the processes use; empty if they do not serve the game."""
    most = allocation(players, MAX_COALITIONS)
    used = tuple(min(count, limit) for count, limit in zip(counts, most, strict=True))
    return used if players < sum(used) and players <= MAX_PLAYERS else ()
