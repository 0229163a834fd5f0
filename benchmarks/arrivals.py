"""When requests arrive."""

import numpy as np
import numpy.typing as npt


def poisson(rate: float, seconds: float, seed: int) -> npt.NDArray[np.float64]:
    """Times in [0, seconds) of a Poisson process of so many arrivals a second; the seed fixes them."""
    rng = np.random.default_rng(seed)
    # Given their number, arrivals lie anywhere with equal odds.
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))
