"""The statistics under the tables, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.arrivals import poisson
from benchmarks.growth import growth, percentile, rms, rmse


def test_rmse_is_over_players_and_estimates() -> None:
    """Errors 3, 4 and 0, 5 over two estimates of two players: the root of 50/4."""
    truth = {"a": 1.0, "b": 2.0}
    estimates = [{"a": 4.0, "b": 6.0, "not in the truth": 9.0}, {"a": 1.0, "b": -3.0}]
    assert rmse(estimates, truth) == pytest.approx(math.sqrt(50 / 4))
    assert rms([3.0, -4.0]) == pytest.approx(math.sqrt(12.5))


def test_a_missing_player_is_an_error() -> None:
    """An estimate that says nothing of a player is not taken for right."""
    with pytest.raises(KeyError):
        rmse([{"a": 1.0}], {"a": 1.0, "b": 0.0})


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100)])
def test_a_percentile_is_one_of_the_values(share: float, wanted: float) -> None:
    """Of 1 … 100 in any order: the smallest that so many do not exceed."""
    values = np.random.default_rng(0).permutation(np.arange(1, 101))
    assert percentile(values, share) == wanted


def test_growth_finds_power_and_line() -> None:
    """Of y = 3 x² the exponent; of y = 5 + 2 x the line, without error."""
    x = [1.0, 2.0, 4.0, 8.0]
    assert growth(x, [3 * each**2 for each in x]).exponent == pytest.approx(2)
    line = growth(x, [5 + 2 * each for each in x])
    assert (line.slope, line.intercept, line.r_squared) == pytest.approx((2, 5, 1))


def test_arrivals_are_poisson_and_seeded() -> None:
    """Ordered, within the time, as many as the rate says within five deviations, gaps as of an exponential law; the
    same for a seed, others for another.
    """
    times = poisson(rate=200.0, seconds=50.0, seed=1)
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0
    assert times[-1] < 50
    assert abs(len(times) - 10_000) < 5 * 100
    gaps = np.diff(times)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    np.testing.assert_array_equal(times, poisson(200.0, 50.0, seed=1))
    assert len(poisson(200.0, 50.0, seed=2)) != len(times)
