"""Takes, for each target, the solution with the smaller error bars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.regression import Solution


def surer(base: Solution, targets: NDArray[np.bool_], rival: Solution) -> Solution:
    """Returns `base`, with the solution of `rival` for the targets for which it has the smaller error bars.

    Args:
        base: The solution for all targets.
        targets: The targets that `rival` has solved, (targets,).
        rival: Its solution, (players, solved targets).
    """
    better = np.square(rival.errors).sum(axis=0) < np.square(base.errors[:, targets]).sum(axis=0)
    taken = np.flatnonzero(targets)[better]
    values, errors = base.values.copy(), base.errors.copy()
    values[:, taken], errors[:, taken] = rival.values[:, better], rival.errors[:, better]
    return Solution(values, errors)
