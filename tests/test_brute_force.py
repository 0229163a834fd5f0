"""The tests' ground truth is itself held against games whose Shapley values are known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

import numpy as np
import onnx
import player_sets
import pytest
from brute_force import (
    Coalition,
    Player,
    aligned,
    attributions,
    coalitions,
    cut,
    logit,
    pruning_curve,
    shapley,
)
from matrix import BY_NAME
from numpy.typing import NDArray
from player_sets import Layout

Array = NDArray[np.float64]
GRID = Layout(6, {"numeric": 2, "ids": 1}, {"profile": 2}, {})
FEATURES = {
    "amount": {"numeric": [0]},
    "place": {"numeric": [1], "ids": [0]},
    "profile": {"profile": [0, 1]},
}
LAYOUT = Layout(GRID.length, GRID.events, GRID.static, FEATURES)


def game(m: int, worth: Callable[[Coalition], float]) -> dict[Coalition, Array]:
    return {coalition: np.array([worth(coalition)]) for coalition in coalitions(m)}


def all_cells(layout: Layout) -> set[Any]:
    static = {(name, None, column) for name, width in layout.static.items() for column in range(width)}
    return layout.block(range(layout.length)) | static


def keys(players: list[Player]) -> list[tuple[Any, ...]]:
    return [player.key for player in players]


def test_an_additive_game_gives_everyone_their_own_worth() -> None:
    """v(S) = 2 + the sum of its members' weights: each player gets its weight, whatever v(∅)."""
    weights = [0.5, -1.25, 3.0, 0.0]
    result = shapley(game(4, lambda s: 2 + sum(weights[i] for i in s)), 4)
    assert result[:, 0] == pytest.approx(weights, abs=1e-13)


@pytest.mark.parametrize("carrier", [{0}, {1, 3}, {0, 2, 4}, {0, 1, 2, 3, 4}])
def test_a_unanimity_game_is_shared_alike_by_those_it_needs(carrier: set[int]) -> None:
    """v(S) = 1 where S holds the carrier T: 1/|T| for its members, 0 for the rest."""
    result = shapley(game(5, lambda s: float(carrier <= s)), 5)
    expected = [1 / len(carrier) if i in carrier else 0 for i in range(5)]
    assert result[:, 0] == pytest.approx(expected, abs=1e-13)


def test_the_glove_game_favours_the_scarce_side() -> None:
    """One left glove and two right ones, a pair is worth 1: 2/3, 1/6, 1/6."""
    result = shapley(game(3, lambda s: float(0 in s and len(s) > 1)), 3)
    assert result[:, 0] == pytest.approx([2 / 3, 1 / 6, 1 / 6], abs=1e-13)


def test_the_airport_game_charges_for_what_each_needs() -> None:
    """v(S) = the longest runway in S: each stretch is shared alike by those who need it."""
    runway = [1.0, 2.0, 6.0]
    result = shapley(game(3, lambda s: max((runway[i] for i in s), default=0.0)), 3)
    assert result[:, 0] == pytest.approx([1 / 3, 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 4], abs=1e-13)


def test_the_average_over_all_orders_gives_the_same() -> None:
    """Shapley's other definition, the mean marginal contribution over m! orders, on a random game."""
    rng = np.random.default_rng(0)
    values = {coalition: rng.normal(size=2) for coalition in coalitions(5)}
    expected = np.zeros((5, 2))
    orders = list(permutations(range(5)))
    for order in orders:
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            expected[player] += (values[before | {player}] - values[before]) / len(orders)
    assert shapley(values, 5) == pytest.approx(expected, abs=1e-13)


def test_nobody_and_one_player_are_ordinary_games() -> None:
    """Without players there is nothing to share; one player takes the whole difference."""
    assert shapley(game(0, lambda s: 3.0), 0).size == 0
    assert shapley(game(1, lambda s: 3.0 + len(s)), 1) == pytest.approx(np.array([[1.0]]))


def additive_scorer(weights: Mapping[str, Array]) -> Callable[[Mapping[str, NDArray[Any]]], Array]:
    def score(arrays: Mapping[str, NDArray[Any]]) -> Array:
        parts = [
            (arrays[name] * weights[name]).reshape(len(arrays[name]), -1).sum(axis=1) for name in weights
        ]
        total: Array = np.stack(parts).sum(axis=0)
        return total[:, None]

    return score


def additive_case() -> tuple[Any, dict[str, Array], dict[str, Array], dict[Any, float]]:
    """An additive scorer over LAYOUT's cells, X, B, and what each cell is worth."""
    rng = np.random.default_rng(3)
    shapes = {"numeric": (6, 2), "ids": (6, 1), "profile": (2,)}
    x, background, weights = ({n: rng.normal(size=s) for n, s in shapes.items()} for _ in range(3))
    gain = {n: weights[n] * (x[n] - background[n]) for n in shapes}
    worth = {c: gain[c[0]][c[2]] if c[1] is None else gain[c[0]][c[1], c[2]] for c in all_cells(LAYOUT)}
    return additive_scorer(weights), x, background, worth


LEVELS = {
    "events": lambda: player_sets.events(LAYOUT, cut=2),
    "blocks": lambda: player_sets.blocks(LAYOUT, [range(0, 1), range(1, 3)], cut=3),
    "features": lambda: player_sets.features(LAYOUT, cut=2),
    "features of all events": lambda: player_sets.features_of_all_events(LAYOUT),
    "cells": lambda: player_sets.cells(LAYOUT, 2, [0, -2], ["place"]),
    "cells, none relevant": lambda: player_sets.cells(LAYOUT, 2, [], []),
    "cells, all relevant": lambda: player_sets.cells(LAYOUT, 0, range(-5, 1), ["amount", "place"]),
}


@pytest.mark.parametrize("level", LEVELS)
def test_the_players_of_every_level_partition_all_cells(level: str) -> None:
    """No cell is left out or played twice; nobody plays without cells."""
    players = LEVELS[level]()
    assert all(not a.cells & b.cells for a, b in combinations(players, 2))
    assert set().union(*(player.cells for player in players)) == all_cells(LAYOUT)
    assert all(player.cells for player in players)


@pytest.mark.parametrize("level", LEVELS)
def test_an_additive_model_gives_every_player_the_worth_of_its_cells(level: str) -> None:
    """f(X) = Σ weight · cell: a player's value is the sum of weight · (x - b) over its cells."""
    scorer, x, background, worth = additive_case()
    result = attributions(scorer, x, background, LEVELS[level]())
    expected = [sum(worth[cell] for cell in player.cells) for player in result.players]
    assert result.values[:, 0] == pytest.approx(expected, abs=1e-12)
    assert result.base == pytest.approx(scorer({n: v[None] for n, v in background.items()})[0])
    assert result.score == pytest.approx(scorer({n: v[None] for n, v in x.items()})[0])


def test_cell_groups_have_the_papers_count_and_names() -> None:
    """Two relevant events, one relevant feature: |F*||E*| + |F*| + |E*| + 2 groups, and the static one."""
    assert keys(player_sets.cells(LAYOUT, 2, [0, -2], ["place"])) == [
        ("pruned",),
        ("cell", -2, "place"),
        ("cell", 0, "place"),
        ("event_rest", -2),
        ("event_rest", 0),
        ("feature_rest", "place"),
        ("other",),
        ("static",),
    ]


def test_empty_cell_groups_are_left_out() -> None:
    """All events and event features relevant, nothing pruned: only single cells and the static player."""
    players = player_sets.cells(LAYOUT, 0, range(-5, 1), ["amount", "place", "profile"])
    assert len(players) == 6 * 2 + 1
    assert {key[0] for key in keys(players)} == {"cell", "static"}


def test_feature_players_leave_pruned_events_to_the_block() -> None:
    """Two events pruned: `place` owns two columns on four events, `profile` its two static cells."""
    players = {player.key: player.cells for player in player_sets.features(LAYOUT, cut=2)}
    assert len(players["feature", "place"]) == 2 * 4
    assert players["feature", "profile"] == {("profile", None, 0), ("profile", None, 1)}
    assert len(players["pruned",]) == 2 * 3


def test_relevance_is_by_threshold_or_by_rank() -> None:
    """E* by |φ| > θ and by top-k; P and the static player never qualify."""
    scorer, x, background, worth = additive_case()
    result = attributions(scorer, x, background, player_sets.events(LAYOUT, cut=2))
    size = {t: abs(sum(worth[c] for c in LAYOUT.event(LAYOUT.position(t)))) for t in range(-3, 1)}
    ranked = sorted(size, key=lambda t: -size[t])
    assert player_sets.strongest(result, "event", 2) == ranked[:2]
    threshold = (size[ranked[1]] + size[ranked[2]]) / 2
    assert set(player_sets.above(result, "event", threshold)) == set(ranked[:2])


def test_pruning_an_additive_model_sums_the_older_events() -> None:
    """w1 of the split after event i is the worth of events 1 … i, and the cut the largest i below η."""
    scorer, x, background, worth = additive_case()
    curve = pruning_curve(scorer, x, background)
    expected = [sum(worth[cell] for cell in LAYOUT.block(range(i))) for i in range(1, 6)]
    assert curve[:, 0] == pytest.approx(expected, abs=1e-12)


def test_a_lone_event_cannot_be_split() -> None:
    """A sequence of one event has an empty curve, and nothing is pruned."""
    case = BY_NAME["gru"]
    curve = pruning_curve(case.scorer(), case.sample(1), case.background(1))
    assert curve.shape == (0, 1)
    assert cut(curve, 1.0) == 0


def test_the_cut_is_the_largest_split_below_the_tolerance_for_every_target() -> None:
    """Whatever earlier splits say; one target too large rules a split out; η = 0 prunes nothing."""
    curve = np.array([[0.0, 0.0], [0.3, 0.0], [0.01, 0.02], [0.0, 0.2], [0.5, 0.5]])
    assert cut(curve, 0.025) == 3
    assert cut(curve[:2], 0.025) == 1
    assert cut(curve[4:], 0.025) == 0
    assert cut(curve, 0.0) == 0
    assert cut(curve[:0], 0.025) == 0


def test_a_background_matrix_is_aligned_at_the_most_recent_event() -> None:
    """Three rows: two events take the last two; five take all three, after two mean events."""
    matrix, mean = np.arange(6.0).reshape(3, 2), np.array([9.0, 9.0])
    assert aligned(matrix, mean, 2).tolist() == [[2, 3], [4, 5]]
    assert aligned(matrix, mean, 5).tolist() == [[9, 9], [9, 9], [0, 1], [2, 3], [4, 5]]


def test_log_odds_of_a_logistic_model_are_additive() -> None:
    """On the logit scale σ(w·x) gives every event the worth of its cells; certainty stays finite."""
    scorer, x, background, worth = additive_case()
    logistic = logit(lambda arrays: 1 / (1 + np.exp(-scorer(arrays))))
    result = attributions(logistic, x, background, player_sets.events(LAYOUT))
    expected = [sum(worth[cell] for cell in player.cells) for player in result.players]
    assert result.values[:, 0] == pytest.approx(expected, abs=1e-9)
    certain = logit(lambda arrays: np.array([[0.0], [1.0]]))({})
    assert certain[:, 0] == pytest.approx([-24 * np.log(2), 24 * np.log(2)], abs=1e-6)


def constants(name: str) -> dict[str, Array]:
    model = onnx.load(BY_NAME[name].path)
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_the_plain_scorer_reads_a_hand_made_model_as_its_formula_says() -> None:
    """static64: (Σ a·x_t + Σ_t b·x_t Σ_{s≤t} c·x_s)(1 + p·profile), written out in loops."""
    case, w = BY_NAME["static64"], constants("static64")
    x = case.sample(5)
    alone, early, late = (x["events"] @ w[part][:, 0] for part in "abc")
    pairs = [early[t] * late[s] for t in range(5) for s in range(t + 1)]
    expected = (sum(alone) + sum(pairs)) * (1 + x["profile"] @ w["p"][:, 0])
    assert case.scorer()({n: v[None] for n, v in x.items()})[0, 0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("name", "value"), [("fixed_left", 0.0), ("fixed_pad_value", -1.0)])
def test_the_plain_scorer_pads_as_declared(name: str, value: float) -> None:
    """Five events of a fixed eight score as the eight with three rows of padding before them."""
    case = BY_NAME[name]
    x = case.sample(5)["events"]
    whole = np.concatenate([np.full((3, 4), value, dtype=np.float32), x])
    scorer = case.scorer()
    assert scorer({"events": x[None]}) == pytest.approx(scorer({"events": whole[None]}))


@pytest.mark.parametrize("name", ["fixed_right", "fixed_lengths", "masked64"])
def test_padding_that_is_masked_does_not_matter(name: str) -> None:
    """A mask or a length hides the padding: its value moves no score."""
    case = BY_NAME[name]
    loud = replace(case, inputs=[replace(i, pad_value=9.0) for i in case.inputs])
    x = {n: v[None] for n, v in case.sample(5).items()}
    assert loud.scorer()(x) == pytest.approx(case.scorer()(x), abs=1e-6)


@pytest.mark.parametrize("name", ["per_event", "per_event_flat", "per_event_right"])
def test_a_step_of_a_recurrent_models_output_is_the_score_of_the_sequence_up_to_it(name: str) -> None:
    """The output at t = -2 is, for a forward GRU, the last output without the two most recent events."""
    case = BY_NAME[name]
    x = case.sample(6)["events"][None]
    assert case.scorer(-2)({"events": x}) == pytest.approx(case.scorer(0)({"events": x[:, :-2]}), abs=1e-6)


@pytest.mark.parametrize("name", ["batch_one", "batch_four"])
def test_a_fixed_batch_changes_no_score(name: str) -> None:
    """Six sequences scored together score as each of them alone."""
    case = BY_NAME[name]
    x = np.stack([case.sample(4, seed)["events"] for seed in range(6)])
    alone = np.concatenate([case.scorer()({"events": row[None]}) for row in x])
    assert case.scorer()({"events": x}) == pytest.approx(alone, abs=1e-6)
