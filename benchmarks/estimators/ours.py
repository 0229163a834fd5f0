"""Our estimators. A further one is added by a line in `OURS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from sequela.explain.options import Estimator
from sequela.timeshap.control_variate.solver import solve_with_variate
from sequela.timeshap.regression import Solution, solve

from benchmarks.estimators.known_game import Worth
from benchmarks.estimators.pair_values import ranked, sampled

Estimate: TypeAlias = Callable[[Worth, int, int, int], Solution]
"""Returns attributions and standard errors, (m, 1) each, of a game of m players.

Called with the game, m, the number of coalitions (the empty and the full one included), and a seed.
"""


@dataclass(frozen=True, slots=True)
class OurEstimator:
    """One of our estimators.

    Attributes:
        estimate: Estimates from a fixed number of coalitions.
        option: The estimator of a request that uses it; None if there is none.
        max_seeds: The largest number of seeds to try, for an estimator that takes long.
    """

    estimate: Estimate
    option: Estimator | None = None
    max_seeds: int = 1000


BASE = "regression"
"""The estimator that savings of rows are relative to."""

OURS: Mapping[str, OurEstimator] = {
    BASE: OurEstimator(partial(sampled, solver=solve), Estimator.REGRESSION),
    "kernels of the game": OurEstimator(partial(sampled, solver=solve_with_variate), max_seeds=40),
    "rank kernels": OurEstimator(ranked, Estimator.CONTROL_VARIATE),
}
"""Our estimators by name. The last one is compared with the estimators of others."""
