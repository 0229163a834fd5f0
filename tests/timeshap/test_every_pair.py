"""Sums at all coalitions of small games against the same sums one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sequela.timeshap.control_variate.every_pair import MAX_PLAYERS, at_every_pair, worth_summing_all
from sequela.timeshap.control_variate.rank_kernels import EFFECTIVE_PLAYERS, rank_kernel
from sequela.timeshap.control_variate.sections import Sections, exact_in_single
from sequela.timeshap.sample_design import in_turn


@pytest.mark.parametrize("effective_players", EFFECTIVE_PLAYERS)
@pytest.mark.parametrize("players", [2, 3, 7, 12, 13, 16])
@pytest.mark.parametrize("magnitude", [1.0, 1e-300, 1e200])
def test_sums_are_those_of_each_coalition(players: int, effective_players: float, magnitude: float) -> None:
    """For coalitions with and without the first player, for several targets, to single precision."""
    rng = np.random.default_rng(players)
    signs = rng.choice(np.array([-1, 1], np.float32), size=(700, players))
    sections = Sections(exact_in_single(rank_kernel(players, effective_players)), signs[:300])
    weights = rng.normal(size=(300, 2)) * [1.0, 1000.0]
    found = at_every_pair(sections.summed(weights * magnitude), signs, in_turn) / magnitude
    expected = sections.summed(weights).at(signs, sections.near(signs, np.float64))
    tolerance = 1e-6 * np.linalg.norm(weights, axis=0)
    assert (np.abs(found - expected) <= tolerance).all()


def test_all_coalitions_are_summed_only_if_many_are_needed() -> None:
    assert worth_summing_all(18, 15_360, 1)
    assert not worth_summing_all(18, 15_360, 3)
    assert not worth_summing_all(18, 2000, 1)
    assert not worth_summing_all(MAX_PLAYERS + 1, 1 << 30, 1)
