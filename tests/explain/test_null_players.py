"""A player whose cells all equal the background's is 0, exactly, and no part of the game; the axioms hold as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import player_sets
import pytest
from asking import ask, explainer, key, levels, loaded, named, question, run_whole
from brute_force import Attributions, aligned, attributions
from hypothesis import given
from hypothesis import strategies as st
from matrix import BY_NAME, Case
from nearby import Nearby
from numpy.typing import NDArray
from sequela.concurrency.deadline import Deadline
from sequela.explain.evaluate.prefix_states import execution
from sequela.explain.explanation import LevelExplanation, StopReason
from sequela.explain.limits import Limits
from sequela.explain.options import Estimator, FeatureScope, Level
from sequela.explain.request import GivenBackground
from sequela.timeshap.cells import Cells, Columns
from sequela.timeshap.masking import Masker
from sequela.timeshap.players import Extent, event_players
from sequela.timeshap.pruning import Verdict
from sweeps import size

GRU = BY_NAME["gru"]
LENGTH = 6
EXACT: dict[str, Any] = {"target_standard_error": 0.0, "pruning_tolerance": 0.0}
EVENTS = (Level.EVENT,)
MODELS = ("gru", "transformer", "multi_input", "account", "classes", "static64", "one_hot", "keras_ids")
"""From states and whole, of several inputs, with static ones, of several outputs, with features of several columns."""

Arrays = dict[str, NDArray[Any]]


def assert_right(level: LevelExplanation, truth: Attributions, live: set[Any], tolerance: float) -> None:
    """The brute force's values; 0 without error where a player is not live; only live players in the game."""
    wanted = {player.key: row for player, row in zip(truth.players, truth.values, strict=True)}
    found = {key(each): each for each in level.attributions}
    assert found.keys() == wanted.keys()
    for name, each in found.items():
        np.testing.assert_allclose(each.values, wanted[name], atol=tolerance, rtol=0, err_msg=str(name))
        assert not any(each.standard_errors)
        if name not in live:
            assert not any(each.values), name
    quality = level.quality
    assert (quality.players, quality.null_players) == (len(live), len(wanted) - len(live))
    assert (quality.stop_reason, quality.coalitions) == (StopReason.EXACT, 2 ** len(live))
    total = np.sum([each.values for each in level.attributions], axis=0)
    np.testing.assert_allclose(total, truth.score - truth.base, atol=tolerance)


def live_among(players: list[player_sets.Player], x: Arrays, b: Arrays) -> set[Any]:
    """The players with a cell of other bits in X than in B."""

    def bits(arrays: Arrays, cell: Any) -> bytes:
        name, position, column = cell
        return (arrays[name][column] if position is None else arrays[name][position, column]).tobytes()

    return {player.key for player in players if any(bits(x, cell) != bits(b, cell) for cell in player.cells)}


@st.composite
def partly_at_background(draw: st.DrawFn) -> tuple[Case, Arrays, Arrays, GivenBackground]:
    """A sequence of which some events, columns, cells and static inputs are as in the background, an average event or
    a matrix: (case, X, B of X's shapes, the background as given).
    """
    case = BY_NAME[draw(st.sampled_from(MODELS))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x, average = case.sample(LENGTH, seed=draw(st.integers(0, 5))), case.average()
    events = case.layout(LENGTH).events
    background = case.background(LENGTH)
    inputs, means = named(average), ()
    if draw(st.booleans()):
        rows = draw(st.integers(2, LENGTH + 2))
        matrix = {name: case.sample(rows, seed=9)[name] for name in events}
        inputs = named({**average, **matrix})
        means = named({name: average[name] for name in events})
        background |= {name: aligned(matrix[name], average[name], LENGTH) for name in events}
    share = draw(st.sampled_from([0.2, 0.5, 0.9]))
    same_events = rng.random(LENGTH) < share
    for name, values in x.items():
        if name in events:
            same = (
                same_events[:, None] | (rng.random(values.shape[1]) < 0.3) | (rng.random(values.shape) < 0.2)
            )
            if name == case.inputs[0].name and case.one_hot:
                block = list(case.one_hot)
                same[:, block] = same[:, block[:1]]  # a category is switched whole
            x[name] = np.where(same, background[name], values)
        elif rng.random() < share:
            x[name] = background[name].copy()
    return case, x, background, GivenBackground(inputs, means)


@given(partly_at_background(), st.booleans())
def test_events_and_features(drawn, whole: bool) -> None:
    """Against every coalition, run one by one: events, features in both scopes, and the pruned block."""
    case, x, b, background = drawn
    layout, model = case.layout(LENGTH), loaded(case)
    answered = explainer(run_whole(model) if whole else model)

    def explained(scope: FeatureScope) -> list[LevelExplanation]:
        wanted = {
            "levels": (Level.EVENT, Level.FEATURE),
            "targets": tuple(map(str, range(len(case.targets)))),
        }
        asked = question(model, x, background, feature_scope=scope, **wanted, **EXACT)
        return levels(answered.explain(asked, Deadline()))

    def truth(players: list[player_sets.Player]) -> Attributions:
        return attributions(case.scorer(), x, b, players)

    by_event, by_feature = explained(FeatureScope.UNPRUNED)
    _, over_all = explained(FeatureScope.FULL_SEQUENCE)
    players = player_sets.events(layout)
    assert_right(by_event, truth(players), live_among(players, x, b), case.tolerance)
    players = player_sets.features(layout)
    assert_right(by_feature, truth(players), live_among(players, x, b), case.tolerance)
    assert_right(over_all, truth(players), live_among(players, x, b), case.tolerance)


def gru_sequence(length: int, *events: int) -> Arrays:
    """At the background's average event but for some positions."""
    rows = np.repeat(GRU.average()["events"][None], length, axis=0)
    rows[list(events)] = GRU.sample(length)["events"][list(events)]
    return {"events": rows}


def test_most_of_a_long_sequence_cannot_matter() -> None:
    """Three of forty events differ from the background: eight coalitions are all there are, and the rest is 0."""
    found = ask(GRU, gru_sequence(40, 4, 21, 39), GRU.average(), pruning_tolerance=0.0, levels=EVENTS)
    (level,) = levels(found)
    assert (level.quality.stop_reason, level.quality.coalitions) == (StopReason.EXACT, 8)
    assert (level.quality.players, level.quality.null_players) == (3, 37)
    layout, x = GRU.layout(40), gru_sequence(40, 4, 21, 39)
    players = [player for player in player_sets.events(layout) if player.key[1] in (-35, -18, 0)]
    truth = attributions(GRU.scorer(), x, GRU.background(40), players)
    values = {key(each): each.values for each in level.attributions}
    for player, row in zip(truth.players, truth.values, strict=True):
        np.testing.assert_allclose(values[player.key], row, atol=1e-6)
    assert sum(not any(row) for row in values.values()) == 37


@pytest.mark.parametrize("unshared_work", [0, execution.MAX_UNSHARED_WORK])
def test_sampled_games_leave_them_out_too(unshared_work: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """30 of 60 events: the game of the 30 alone, whoever runs it; what was recorded, asked for again, is the same."""
    monkeypatch.setattr(execution, "MAX_UNSHARED_WORK", unshared_work)
    x, model = gru_sequence(60, *range(1, 60, 2)), loaded(GRU)
    options: dict[str, Any] = {"pruning_tolerance": 0.0, "levels": EVENTS}
    found = [
        explainer(each).explain(
            question(each, x, GRU.average(), estimator=Estimator.REGRESSION, **options), Deadline()
        )
        for each in (model, run_whole(model), Nearby(model))
    ]
    first = levels(found[0])[0]
    assert first.quality.stop_reason is StopReason.TARGET
    assert (first.quality.players, first.quality.null_players) == (30, 30)
    for answer in found:
        (level,) = levels(answer)
        assert level.quality.additivity_residual < 1e-9
        for row, each in enumerate(level.attributions):
            assert any(each.values) == any(each.standard_errors) == bool(row % 2)
            np.testing.assert_allclose(each.values, first.attributions[row].values, atol=1e-5)
    again = ask(
        GRU,
        x,
        GRU.average(),
        max_coalitions=first.quality.coalitions,
        target_standard_error=0.0,
        estimator=Estimator.REGRESSION,
        **options,
    )
    for one, other in zip(first.attributions, levels(again)[0].attributions, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-6)
        np.testing.assert_allclose(one.standard_errors, other.standard_errors, atol=1e-6)


def test_the_limit_of_players_is_that_of_the_game() -> None:
    """100 events of which 60 are at the background are a game of 40 players, and 200 are one of 80."""
    events = size(100, 200)
    players = events * 2 // 5
    model = loaded(GRU)
    asked = question(
        model,
        gru_sequence(events, *range(events * 3 // 5, events)),
        GRU.average(),
        levels=EVENTS,
        max_coalitions=1024,
        **EXACT,
    )
    narrow = explainer(model, limits=Limits(max_players=players)).explain(asked, Deadline())
    assert levels(narrow)[0].quality.stop_reason is StopReason.BUDGET
    too_narrow = explainer(model, limits=Limits(max_players=players - 1)).explain(asked, Deadline())
    quality = levels(too_narrow)[0].quality
    assert quality.stop_reason is StopReason.NOT_COMPUTED
    assert quality.detail.startswith(f"{players} players exceed the server's limit of {players - 1}")


def test_a_sequence_like_its_background_has_nothing_to_explain() -> None:
    """X equals B: every attribution at every level is 0, exactly, after one coalition."""
    for case in (GRU, BY_NAME["multi_input"], BY_NAME["transformer"]):
        found = ask(case, case.background(5), case.average(), **EXACT)
        assert len(levels(found)) == 3
        for level in levels(found):
            assert (level.quality.stop_reason, level.quality.coalitions) == (StopReason.EXACT, 1)
            assert (level.quality.players, level.quality.null_players) == (0, len(level.attributions))
            assert not any(any(each.values + each.standard_errors) for each in level.attributions)


def test_one_player_that_differs_gets_all() -> None:
    """To the last bit."""
    found = ask(GRU, gru_sequence(12, 7), GRU.average(), levels=EVENTS, **EXACT)
    (level,), score = levels(found), found.targets[0]
    assert score.base_value is not None
    given_out = [each.values[0] for each in level.attributions]
    assert given_out == [0.0] * 7 + [score.score - score.base_value] + [0.0] * 4
    assert level.quality.coalitions == 2


def test_a_difference_that_no_player_made_is_not_given_to_any() -> None:
    """X equals B, and yet the model tells them apart, for its rows influence one another: the residual says so."""
    model = run_whole(loaded(GRU))

    class Drifting:
        recurrence = None

        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def run(self, batch: Cells, *rest: Any) -> NDArray[np.float64]:
            outputs: NDArray[np.float64] = model.run(batch, *rest)
            return outputs + 0.01 * np.arange(len(outputs))[:, None]

    drifting: Any = Drifting()
    asked = question(drifting, GRU.background(5), GRU.average(), levels=EVENTS, **EXACT)
    (level,) = levels(explainer(drifting).explain(asked, Deadline()))
    assert not any(any(each.values) for each in level.attributions)
    assert level.quality.additivity_residual == pytest.approx(0.01)


def test_a_pruned_block_at_the_background_is_within_any_tolerance() -> None:
    """P is null: 0, without error, and the levels leave it out."""
    answer = ask(
        GRU,
        gru_sequence(20, 15, 17, 19),
        GRU.average(),
        pruning_tolerance=1e-12,
        target_standard_error=0.0,
        refine_history=True,
    )
    assert answer.pruning is not None
    assert answer.pruning.pruned_events >= 15
    assert answer.pruning.attribution == answer.pruning.standard_error == (0.0,)
    assert answer.pruning.verdicts == (Verdict.WITHIN,)
    by_event, by_feature, _ = levels(answer)
    assert by_event.attributions[0].kind == by_feature.attributions[0].kind == "pruned"
    assert (by_event.quality.players, by_feature.quality.players) == (3, 5)


@pytest.mark.parametrize("chosen", [{"cell_threshold": 0.0}, {"top_k_events": 6, "top_k_features": 5}])
def test_null_events_and_features_are_not_opened_into_cells(chosen: dict[str, Any]) -> None:
    """By a threshold of 0, or by ranks that there are too few live ones for: cells are those of the live ones."""
    x = gru_sequence(8, 3, 7)
    x["events"][:, 2] = GRU.average()["events"][2]
    answer = ask(GRU, x, GRU.average(), max_coalitions=1 << 15, **EXACT | chosen)
    cells = levels(answer)[2]
    opened = {(each.first_event, each.feature) for each in cells.attributions if each.kind == "cell"}
    assert opened == {(t, f"f{column}") for t in (-4, 0) for column in (0, 1, 3, 4)}
    layout = GRU.layout(8)
    players = player_sets.cells(layout, 0, [-4, 0], ["f0", "f1", "f3", "f4"])
    b = GRU.background(8)
    live = [player for player in players if player.key in live_among(players, x, b)]
    assert (cells.quality.players, len(live)) == (8, 8)
    truth = attributions(GRU.scorer(), x, b, live)
    found = {key(each): each for each in cells.attributions}
    for player, row in zip(truth.players, truth.values, strict=True):
        np.testing.assert_allclose(found.pop(player.key).values, row, atol=1e-6)
    assert not any(any(each.values + each.standard_errors) for each in found.values())


def test_bits_are_compared_and_not_values() -> None:
    """0.0 is not -0.0, for a model may tell them apart; a NaN is itself."""
    x = np.array([[0.0], [np.nan], [1.0], [-0.0]], dtype=np.float32)
    b = np.array([[-0.0], [np.nan], [1.0], [-0.0]], dtype=np.float32)
    columns = Columns((np.array([0]),), 1)
    masker = Masker(Cells((x,)), Cells((b,)), columns)
    players = event_players(Extent(4, 1), ())
    assert masker.live(players, 4).tolist() == [True, False, False, False]
    assert not masker.live(players, 0).any()
