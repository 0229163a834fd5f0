"""Prefix trees: every coalition meets exactly its own cells, and what is shared is run once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sequela.timeshap.players import Extent, Players, event_players, full_feature_players
from sequela.timeshap.prefix_tree import PrefixTree, player_order, prefix_trees

Seen = tuple[bool, ...]


def met_by(tree: PrefixTree, players: Players, coalitions: NDArray[np.bool_]) -> dict[int, Seen]:
    """What each coalition of the tree sees of its cells, oldest event first, going step by step from class to class."""
    classes: list[Seen] = [()]
    for step in tree.steps:
        grid = players.grid[step.start : step.stop]
        classes = [
            classes[parent] + tuple(coalitions[row][grid].ravel().tolist())
            for row, parent in zip(step.rows, step.parents, strict=True)
        ]
    return {
        int(coalition): classes[leaf] for coalition, leaf in zip(tree.coalitions, tree.leaves, strict=True)
    }


@st.composite
def games(draw: st.DrawFn) -> tuple[Players, NDArray[np.bool_], int, int]:
    """Any owners of the cells, any coalitions, any output event, any size of a tree."""
    length, features, m = draw(st.integers(1, 12)), draw(st.integers(1, 3)), draw(st.integers(1, 90))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    grid = rng.integers(m, size=(length, features))
    if draw(st.booleans()):
        grid = np.sort(grid, axis=0)  # as events are: players met one after the other
    players = Players((None,) * m, grid, np.zeros(0, dtype=np.intp))  # type: ignore[arg-type]
    count = draw(st.integers(1, 60))
    coalitions = rng.random((count, m)) < draw(st.sampled_from([0.02, 0.5, 0.9]))
    return players, coalitions, draw(st.integers(1, length)), draw(st.sampled_from([1, 7, 1000]))


@given(games())
def test_every_coalition_meets_its_own_cells(game: tuple[Players, NDArray[np.bool_], int, int]) -> None:
    """All coalitions are in the trees, each once, and on its way each sees its own cells up to the last event run."""
    players, coalitions, stop, most = game
    met = player_order(players, stop, ())
    found: dict[int, Seen] = {}
    for tree in prefix_trees(met, coalitions, most):
        assert len(tree.coalitions) <= most
        assert tree.steps[0].start == 0
        assert tree.steps[-1].stop == stop
        assert all(a.stop == b.start for a, b in zip(tree.steps, tree.steps[1:], strict=False))
        found |= met_by(tree, players, coalitions)
    direct = {i: tuple(z[players.grid[:stop]].ravel().tolist()) for i, z in enumerate(coalitions)}
    assert found == direct


@given(games())
def test_no_class_is_run_twice(game: tuple[Players, NDArray[np.bool_], int, int]) -> None:
    """In one tree of different coalitions, as many classes end as there are among the players met."""
    players, coalitions, stop, _ = game
    coalitions = np.unique(coalitions, axis=0)
    met = player_order(players, stop, ())
    (tree,) = prefix_trees(met, coalitions, len(coalitions))
    assert len(tree.steps[-1].rows) == len(np.unique(coalitions[:, met.order], axis=0))
    for step in tree.steps:
        seen = np.unique(players.grid[: step.stop])
        assert len(step.rows) == len(np.unique(coalitions[:, seen], axis=0))


@pytest.mark.parametrize("m", [8, 12, 16])
def test_all_coalitions_of_events_are_a_tree(m: int) -> None:
    """2^(m+1) - 2 events run, but for the first few, which are run together (estimator: the prefix tree)."""
    players = event_players(Extent(m, 1), ())
    coalitions = (np.arange(1 << m)[:, None] >> np.arange(m) & 1).astype(bool)
    (tree,) = prefix_trees(player_order(players, m, ()), coalitions, 1 << m)
    run = sum(len(step.rows) * (step.stop - step.start) for step in tree.steps)
    assert 2 ** (m + 1) - 2 <= run < 2 ** (m + 1) + 1500


def test_features_share_nothing_but_the_pruned_block() -> None:
    """Every feature is met at the first event: one step for all."""
    players = full_feature_players(Extent(5, 6))
    coalitions = np.random.default_rng(0).random((50, 6)) < 0.5
    (tree,) = prefix_trees(player_order(players, 5, ()), coalitions, 64)
    assert [(step.start, step.stop) for step in tree.steps] == [(0, 5)]


@pytest.mark.parametrize(("enters", "first"), [(True, 0), (False, 6)])
def test_a_static_player_is_met_where_its_input_is(enters: bool, first: int) -> None:
    """At the first event where it reaches the states, at the last one where it reaches the output alone."""
    players = event_players(Extent(7, 2, 1), (4,))
    met = player_order(players, 7, (enters,))
    static = len(players) - 1
    assert dict(zip(met.order.tolist(), met.events.tolist(), strict=True))[static] == first


def test_players_behind_the_output_are_not_met() -> None:
    """Events after the one whose output is explained change nothing."""
    players = event_players(Extent(7, 2), ())
    assert player_order(players, 4, ()).order.tolist() == [0, 1, 2, 3]
