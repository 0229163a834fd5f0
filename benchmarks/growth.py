"""The few statistics that the tables rest on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Attributions = Mapping[str, float]
"""A level's attributions by the name of the player, as `levels.py` names them."""


def rms(values: npt.ArrayLike) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=np.float64)))))


def rmse(estimates: Iterable[Attributions], truth: Attributions) -> float:
    """Root mean square error over players and estimates (k ≥ 1); a player missing from an estimate is an
    error, one that the truth does not name is left aside.
    """
    return rms([[estimate[player] - value for player, value in truth.items()] for estimate in estimates])


def percentile(values: npt.ArrayLike, share: float) -> float:
    """The smallest value that at least `share` (0 … 1) of the values do not exceed: one that was measured."""
    return float(np.quantile(np.asarray(values, dtype=np.float64), share, method="inverted_cdf"))


@dataclass(frozen=True, slots=True)
class Growth:
    """How y grows with x: `exponent` of the power law y ~ x^exponent, and the straight line's R²."""

    exponent: float
    slope: float
    intercept: float
    r_squared: float


def growth(x: Sequence[float], y: Sequence[float]) -> Growth:
    """Least squares through three points or more, all positive."""
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    slope, intercept = np.polyfit(across, up, 1)
    rest = up - (slope * across + intercept)
    exponent = np.polyfit(np.log(across), np.log(up), 1)[0]
    explained = 1 - float(rest @ rest) / float(np.square(up - up.mean()).sum())
    return Growth(float(exponent), float(slope), float(intercept), explained)
