"""Relevance: thresholds, ranks, and how sure a choice is."""

from __future__ import annotations

import numpy as np
from sequela.timeshap.selection import above, limit_players, strongest

THETA = np.array([0.1])


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_only_what_exceeds_the_threshold_is_chosen() -> None:
    """|φ| > θ, strictly and by size whatever the sign; strongest first."""
    found = above(column(0.2, -0.5, 0.1, 0.05), np.zeros((4, 1)), THETA)
    assert found.chosen == (1, 0)
    assert not found.uncertain
    assert found.near_misses == ()


def test_a_threshold_of_zero_is_a_threshold() -> None:
    """θ = 0 chooses everything that is not exactly zero."""
    assert above(column(0.2, 0.0, -1e-9), np.zeros((3, 1)), np.zeros(1)).chosen == (0, 2)


def test_what_lies_within_two_errors_of_the_threshold_is_flagged() -> None:
    """Chosen by a margin: uncertain. Missed by a margin: a near miss. Far from it: neither."""
    found = above(column(0.11, 0.5, 0.09, 0.01), column(0.01, 0.01, 0.01, 0.01), THETA)
    assert found.chosen == (1, 0)
    assert found.uncertain == {0}
    assert found.near_misses == (2,)


def test_one_sure_target_is_enough() -> None:
    """A row that exceeds θ for some target beyond doubt is not uncertain for another target's sake."""
    found = above(np.array([[0.5, 0.1]]), np.array([[0.01, 0.05]]), np.array([0.1, 0.1]))
    assert found.chosen == (0,)
    assert not found.uncertain


def test_nothing_relevant_is_an_answer() -> None:
    """A threshold that selects nothing, and no rows at all, give an empty selection."""
    assert above(column(0.01), np.zeros((1, 1)), THETA).chosen == ()
    assert above(np.empty((0, 1)), np.empty((0, 1)), THETA).chosen == ()
    assert strongest(np.empty((0, 1)), np.empty((0, 1)), 3).chosen == ()


def test_the_strongest_are_chosen_and_their_border_flagged() -> None:
    """Top k by |φ| over targets; those the k-th rank could trade places with are flagged."""
    values, errors = column(0.5, 0.30, -0.29, 0.1), np.full((4, 1), 0.01)
    found = strongest(values, errors, 2)
    assert found.chosen == (0, 1)
    assert found.uncertain == {1}
    assert found.near_misses == (2,)
    assert strongest(values, np.zeros((4, 1)), 2).near_misses == ()
    assert strongest(values, errors, 10).chosen == (0, 1, 2, 3)


def test_the_cell_game_is_bounded() -> None:
    """Past the limit the weakest go, from the longer list first, and the selection says so."""
    many = above(np.linspace(1, 2, 40)[:, None], np.zeros((40, 1)), THETA)
    few = above(np.linspace(1, 2, 5)[:, None], np.zeros((5, 1)), THETA)
    events, features = limit_players(many, few, extra=0, limit=100)
    e, f = len(events.chosen), len(features.chosen)
    assert e * f + e + f + 2 <= 100
    assert (e + 1) * f + e + 1 + f + 2 > 100
    assert events.truncated
    assert not features.truncated
    assert events.chosen == many.chosen[:e]
