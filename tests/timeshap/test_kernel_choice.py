"""The kernel that is chosen: likelier than what it was chosen from, and aware of who interacts."""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sequela.timeshap.control_variate.gaussian_process import OddProcess
from sequela.timeshap.control_variate.kernel_choice import KERNELS, likeliest_kernel, tune
from sequela.timeshap.control_variate.odd_kernel import OddKernel
from sequela.timeshap.regression import in_turn
from sweeps import examples

PLAYERS = 10


def sample(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Signs of distinct coalitions of ten players, and the odd game z_0 z_1 z_2 + 0.3 Σ z at them."""
    ranks = np.random.default_rng(seed).choice(1 << PLAYERS - 1, size=120, replace=False)
    signs = 2.0 * (ranks[:, None] >> np.arange(PLAYERS) & 1) - 1
    return signs, signs[:, :3].prod(axis=1, keepdims=True) + 0.3 * signs.sum(axis=1, keepdims=True)


def process(known: tuple[NDArray[np.float64], NDArray[np.float64]], kernel: OddKernel) -> OddProcess:
    return OddProcess(kernel, *known)


@settings(max_examples=examples(20))
@given(st.integers(0, 2**32))
def test_tuning_finds_a_likelier_kernel(seed: int) -> None:
    """Never one less likely than it started from."""
    rng = np.random.default_rng(seed)
    conditioned = partial(process, sample(seed))
    start = OddKernel(rng.uniform(0.05, 0.5, size=PLAYERS))
    assert conditioned(tune(start, conditioned)).likelihood >= conditioned(start).likelihood


def test_tuning_finds_who_interacts() -> None:
    """Three of ten players do: theirs become the strongest interactions."""
    kernel = tune(OddKernel(np.full(PLAYERS, 0.3)), partial(process, sample(1)))
    assert kernel.strengths[:3].min() > kernel.strengths[3:].max()


def test_the_first_guess_is_the_likeliest_of_those_tried() -> None:
    """Each is tried once, and none of them is likelier."""
    tried: list[OddProcess] = []

    def conditioned(kernel: OddKernel) -> OddProcess:
        tried.append(process(sample(2), kernel))
        return tried[-1]

    best = likeliest_kernel(np.linspace(0.1, 1.0, PLAYERS)[:, None], conditioned, in_turn)
    assert len(tried) == KERNELS
    assert conditioned(best).likelihood == max(each.likelihood for each in tried)


def test_attributions_of_nothing_still_give_kernels() -> None:
    """Players whose base attributions are all 0 may interact all the same."""
    kernel = likeliest_kernel(np.zeros((PLAYERS, 1)), partial(process, sample(3)), in_turn)
    assert (kernel.strengths > 0).all()
