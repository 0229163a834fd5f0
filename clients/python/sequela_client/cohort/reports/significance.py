"""Intervals and tests for means and shares. They take the sizes, means and variances of groups, not single values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, isfinite, lgamma, log, log1p, nan, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# Two-sided 95 %.
Z = NormalDist().inv_cdf(0.975)

# From this many degrees of freedom on, Student's t is the normal distribution to four digits.
NORMAL_DEGREES = 10_000.0


@dataclass(frozen=True, slots=True)
class Moments:
    """The sizes, means and sample variances of groups, as arrays of equal length."""

    n: Numbers
    mean: Numbers
    variance: Numbers


@dataclass(frozen=True, slots=True)
class MeanTest:
    """Differences of means, after minus before, one for each group. They are NaN if a sample is too small.

    Args:
        change: the difference.
        standard_error: its standard error over sequences.
        statistic: t = change / standard_error.
        degrees: the degrees of freedom.
        p_value: two-sided.
        p_adjusted: after Holm's correction for all groups together.
        low: the lower end of the 95 % interval of the change.
        high: the upper end.
    """

    change: Numbers
    standard_error: Numbers
    statistic: Numbers
    degrees: Numbers
    p_value: Numbers
    p_adjusted: Numbers
    low: Numbers
    high: Numbers


def wilson(successes: Numbers, n: Numbers) -> tuple[Numbers, Numbers]:
    """The 95 % Wilson interval of shares; NaN where n is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = successes / n
        centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    # Rounding errors could otherwise move an end of the interval beyond 0 or 1.
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def mean_interval(n: Numbers, mean: Numbers, standard_error: Numbers) -> tuple[Numbers, Numbers]:
    """The 95 % interval of means by Student's t; NaN where n is below 2."""
    half = np.array([student_quantile(each - 1) for each in n]) * standard_error
    return mean - half, mean + half


def welch(before: Moments, after: Moments) -> MeanTest:
    """Welch's test of equal means: it does not assume equal variances or equal sizes.

    By the central limit theorem, means of many sequences are close to normal, whatever the distribution of the single
    attributions is. The test is least reliable for small samples with a few large values.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = before.variance / before.n, after.variance / after.n
        error = np.sqrt(first + second)
        degrees = (first + second) ** 2 / (first**2 / (before.n - 1) + second**2 / (after.n - 1))
    return _tested(after.mean - before.mean, error, degrees)


def paired(differences: Moments) -> MeanTest:
    """Student's test that the mean of paired differences is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(differences.variance / differences.n)
    return _tested(differences.mean, error, differences.n - 1)


def _tested(change: Numbers, error: Numbers, degrees: Numbers) -> MeanTest:
    with np.errstate(divide="ignore", invalid="ignore"):
        # If all differences are equal, there is no standard error to test them against.
        statistic = np.where(error > 0, change / error, nan)
    p_value = np.array([student_p(t, df) for t, df in zip(statistic, degrees, strict=True)])
    half = np.array([student_quantile(each) for each in degrees]) * error
    return MeanTest(change, error, statistic, degrees, p_value, holm(p_value), change - half, change + half)


def holm(p_values: Numbers) -> Numbers:
    """Returns p-values after Holm's correction, which does not assume independent tests. NaN stays NaN."""
    adjusted = np.full(len(p_values), nan)
    order = [int(each) for each in np.argsort(p_values) if isfinite(p_values[each])]
    if order:
        factors = len(order) - np.arange(len(order))
        adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return adjusted


def student_p(statistic: float, degrees: float) -> float:
    """Returns the two-sided p-value of Student's t; NaN if t or the degrees of freedom are unknown."""
    if not (isfinite(statistic) and degrees > 0):
        return nan
    if degrees > NORMAL_DEGREES:
        return 2 * NormalDist().cdf(-abs(statistic))
    return _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + statistic**2))


# Most groups of a report are of the same size.
@lru_cache(maxsize=4096)
def student_quantile(degrees: float) -> float:
    """Returns the t beyond which 2.5 % of the distribution lie on each side; NaN without degrees of freedom."""
    if not degrees > 0:
        return nan
    if degrees > NORMAL_DEGREES:
        return Z
    # The upper end of the bisection suffices down to a tenth of a degree of freedom, where t is below 1e13.
    low, high = 0.0, 1e13
    for _ in range(200):
        middle = (low + high) / 2 if high - low < 1e3 else sqrt(max(low, 1.0) * high)
        if middle in (low, high):  # No number lies between them, after about 80 steps.
            break
        low, high = (middle, high) if student_p(middle, degrees) > 0.05 else (low, middle)
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (modified Lentz)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # On the other side of the mean, the continued fraction converges slowly.
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    fraction, change, m = d, inf, 0
    while abs(change - 1) > 1e-14 and m < 1000:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            change = c * d
            fraction *= change
    return front * fraction
