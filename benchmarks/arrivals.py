"""Random arrival times of requests."""

import numpy as np
import numpy.typing as npt


def poisson(rate: float, seconds: float, seed: int) -> npt.NDArray[np.float64]:
    """Returns the arrival times of a Poisson process in [0, seconds), with `rate` arrivals a second on average."""
    rng = np.random.default_rng(seed)
    # Given their number, the arrivals of a Poisson process are uniformly distributed.
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))


def first_arrivals(count: int, rate: float, seed: int) -> npt.NDArray[np.float64]:
    """Returns the times, in seconds, of the first arrivals of a Poisson process with `rate` arrivals a second."""
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))
