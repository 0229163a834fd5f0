"""Takes, for each target, the solution with the smaller error bars."""

from __future__ import annotations

import numpy as np

from sequela.timeshap.regression import Solution


def surer(first: Solution, second: Solution) -> Solution:
    """Returns the solution with the smaller error bars for each target; `first` itself if none of the others is surer.

    Error bars are compared by their sum of squares over players.
    """
    better = np.square(second.errors).sum(axis=0) < np.square(first.errors).sum(axis=0)
    if not better.any():
        return first
    return Solution(
        np.where(better, second.values, first.values), np.where(better, second.errors, first.errors)
    )
