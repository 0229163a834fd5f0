"""The statistics that the tables need."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Attributions = Mapping[str, float]
"""The attributions of a level by the names of the players, as in `levels.py`."""


def rms(values: npt.ArrayLike) -> float:
    """Returns the root mean square."""
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=np.float64)))))


def rmse(estimates: Iterable[Attributions], truth: Attributions) -> float:
    """Returns the root mean square error over players and estimates, of which there is at least one.

    Players that the truth lacks are ignored. Raises KeyError if an estimate lacks a player of the truth.
    """
    return rms([[estimate[player] - value for player, value in truth.items()] for estimate in estimates])


def percentile(values: npt.ArrayLike, share: float) -> float:
    """Returns the smallest measured value that a share (0 to 1) of the values does not exceed."""
    return float(np.quantile(np.asarray(values, dtype=np.float64), share, method="inverted_cdf"))


@dataclass(frozen=True, slots=True)
class Growth:
    """How y grows with x: the exponent of the power law y ~ x^exponent, and R² of the straight line."""

    exponent: float
    slope: float
    intercept: float
    r_squared: float


def growth(x: Sequence[float], y: Sequence[float]) -> Growth:
    """Fits three or more points, all positive, by least squares."""
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    slope, intercept = np.polyfit(across, up, 1)
    rest = up - (slope * across + intercept)
    exponent = np.polyfit(np.log(across), np.log(up), 1)[0]
    explained = 1 - float(rest @ rest) / float(np.square(up - up.mean()).sum())
    return Growth(float(exponent), float(slope), float(intercept), explained)
