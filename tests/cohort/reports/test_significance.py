"""Intervals and tests against numbers from tables and numerical integration."""

from __future__ import annotations

from math import gamma, isnan, pi, sqrt

import numpy as np
import pytest
from sequela_client.cohort.reports.significance import holm, student_p, student_quantile, wilson


@pytest.mark.parametrize(
    ("degrees", "critical"),
    [(1, 12.706205), (2, 4.302653), (5, 2.570582), (10, 2.228139), (30, 2.042272), (120, 1.979930)],
)
def test_quantiles_as_in_the_tables(degrees: float, critical: float) -> None:
    assert student_quantile(degrees) == pytest.approx(critical, abs=2e-6)


@pytest.mark.parametrize("degrees", [1.5, 3.0, 17.3, 80.0])
@pytest.mark.parametrize("statistic", [0.01, 0.7, 2.0, -5.0])
def test_p_values_by_integration(degrees: float, statistic: float) -> None:
    """Twice the tail of the density, by Simpson's rule between −|t| and |t|."""
    x = np.linspace(-abs(statistic), abs(statistic), 20_001)
    factor = gamma((degrees + 1) / 2) / (sqrt(degrees * pi) * gamma(degrees / 2))
    y = factor * (1 + x**2 / degrees) ** (-(degrees + 1) / 2)
    inside = (y[0] + y[-1] + 4 * y[1:-1:2].sum() + 2 * y[2:-1:2].sum()) * (x[1] - x[0]) / 3
    assert student_p(statistic, degrees) == pytest.approx(1 - inside, abs=1e-10)


def test_many_degrees_are_the_normal_distribution() -> None:
    """There is no step where the approximation begins."""
    assert student_p(2.0, 9_999) == pytest.approx(student_p(2.0, 10_001), rel=1e-3)
    assert student_quantile(1e9) == pytest.approx(1.959964, abs=1e-6)


def test_what_cannot_be_said() -> None:
    assert isnan(student_p(float("nan"), 3))
    assert isnan(student_p(1.0, 0))
    assert isnan(student_quantile(0))


def test_wilson() -> None:
    """Published values (Newcombe 1998: 81 of 263, 15 of 148, 0 of 20, 1 of 29), and none for no cases."""
    low, high = wilson(np.array([81.0, 15, 0, 1, 0, 5]), np.array([263.0, 148, 20, 29, 0, 5]))
    assert low[:4] == pytest.approx([0.2553, 0.0624, 0.0000, 0.0061], abs=5e-5)
    assert high[:4] == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)
    assert isnan(low[4])
    assert isnan(high[4])
    assert high[5] == 1.0


def test_holm() -> None:
    """The textbook's steps: 0.01·3, 0.03·2, then no smaller than the one before; NaN is no test."""
    found = holm(np.array([0.04, np.nan, 0.01, 0.03]))
    assert found[[0, 2, 3]] == pytest.approx([0.06, 0.03, 0.06])
    assert isnan(found[1])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []
