"""The estimator of models in this process: the base estimator, and two Gaussian processes with rank kernels.

Players must be in the order of their ranks (rank_kernels.py). Each target is given the solution with the smallest error
bars. All that does not depend on values comes from designs, which can be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.coalitions import GROWTH, allocation, stages
from sequela.timeshap.control_variate.correction import variate_solution
from sequela.timeshap.control_variate.rank_kernels import EFFECTIVE_PLAYERS
from sequela.timeshap.control_variate.surer import surer
from sequela.timeshap.designs import Designs
from sequela.timeshap.regression import Solution, solve_design
from sequela.timeshap.sample_design import JobRunner, in_turn

MAX_COALITIONS = 2048
"""The processes use the part of a sample that has at most this many coalitions, because memory grows with the square of
the pairs, and the time to build a process with their cube.
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
    counts = [len(rows) for rows in odd]
    base = solve_design(designs.sample(counts, run_jobs), np.concatenate(odd), gain, run_jobs)
    # The base estimator has already solved targets with a standard error of 0 exactly.
    unsure = np.asarray(base.errors.any(axis=0))
    used = process_counts(designs.sampler.players, counts)
    if not unsure.any() or not used:
        return RankedSolution(base, base)
    known = np.concatenate([rows[:count, unsure] for rows, count in zip(odd, used, strict=True)])
    best = base
    for effective_players in EFFECTIVE_PLAYERS:
        process = designs.process(used, effective_players)
        rival = variate_solution(designs.sample(used, run_jobs), process, known, gain[unsure], run_jobs)
        best = surer(best, unsure, rival)
    return RankedSolution(best, base)


def ranked_stages(players: int, budget: int, at_once: int, fewest: int) -> tuple[int, ...]:
    """Returns the sizes of the nested stages. Arguments and result are those of `coalitions.stages`.

    There is no stage between `fewest` and `MAX_COALITIONS`, so that few designs of processes have to be kept.
    """
    sizes = stages(players, budget, at_once, fewest)
    first = [each for each in sizes if each <= fewest]
    if not first or budget <= MAX_COALITIONS:
        return sizes
    later = [MAX_COALITIONS]
    while later[-1] * GROWTH < sizes[-1]:
        later.append(int(np.ceil(later[-1] * GROWTH)))
    return (*first, *later[:-1], sizes[-1]) if later[-1] < sizes[-1] else (*first, sizes[-1])


def process_counts(players: int, counts: Sequence[int]) -> tuple[int, ...]:
    """Returns how many of the known pairs of each stratum the processes use; empty if they do not serve the game."""
    most = allocation(players, MAX_COALITIONS)
    used = tuple(min(count, limit) for count, limit in zip(counts, most, strict=True))
    return used if players < sum(used) and players <= MAX_PLAYERS else ()
