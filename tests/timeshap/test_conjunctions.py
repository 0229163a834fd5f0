"""Conjunctions: their odd parts and Shapley values, beside the definition."""

from __future__ import annotations

import numpy as np
import pytest
from games import TableGame
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sequela.timeshap.control_variate.conjunctions import attributions, odd_parts
from sweeps import examples

LITERALS = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=7).filter(any)


def worths(literals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value of each of the 2^m coalitions, whose members are the bits of its number, one by one."""
    found = []
    for number in range(1 << len(literals)):
        holds = [bool(number >> i & 1) == (literal > 0) for i, literal in enumerate(literals) if literal]
        found.append(float(all(holds)))
    return np.array(found)[:, None]


def members(players: int) -> NDArray[np.bool_]:
    return (np.arange(1 << players)[:, None] >> np.arange(players) & 1).astype(bool)


@settings(max_examples=examples(60))
@given(LITERALS)
def test_attributions_are_the_shapley_values(literals: list[float]) -> None:
    row = np.array(literals)
    np.testing.assert_allclose(attributions(row[None]), TableGame(worths(row)).shapley(), atol=1e-12)


@settings(max_examples=examples(60))
@given(LITERALS)
def test_odd_parts_are_half_the_difference_between_a_coalition_and_its_complement(
    literals: list[float],
) -> None:
    row = np.array(literals)
    table = worths(row)[:, 0]
    signs = np.where(members(len(row)), 1.0, -1.0)
    np.testing.assert_array_equal(odd_parts(signs, row[None])[:, 0], (table - table[::-1]) / 2)


def test_a_disjunction_has_the_odd_part_of_the_conjunction() -> None:
    """Up to the constant by which both differ between nobody and all players."""
    coalitions = members(5)
    row = np.array([1.0, 1.0, 0.0, 1.0, 0.0])
    any_in = coalitions[:, row > 0].any(axis=1).astype(float)
    odd = (any_in - any_in[::-1]) / 2
    np.testing.assert_array_equal(odd_parts(np.where(coalitions, 1.0, -1.0), row[None])[:, 0], odd)


@pytest.mark.parametrize("pair", [[1.0, 1.0], [1.0, -1.0]])
def test_two_players_add_nothing_to_their_own_effects(pair: list[float]) -> None:
    """So fits begin with three."""
    signs = np.where(members(2), 1.0, -1.0)
    odd = odd_parts(signs, np.array([pair]))
    np.testing.assert_array_equal(odd, odd_parts(signs, np.eye(2)) @ np.array([pair]).T / 2)


def test_several_conjunctions_are_columns() -> None:
    literals = np.array([[1.0, -1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0]])
    signs = np.where(members(4), 1.0, -1.0)
    alone = [odd_parts(signs, row[None]) for row in literals]
    np.testing.assert_array_equal(odd_parts(signs, literals), np.hstack(alone))
    np.testing.assert_array_equal(
        attributions(literals), np.hstack([attributions(row[None]) for row in literals])
    )
