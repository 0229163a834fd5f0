"""One request from start to finish: ordinary and odd sequences, options, deadlines, cancellation, reuse."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import player_sets
import pytest
from asking import Watched, ask, assert_same, explainer, levels, loaded, numbers, question
from brute_force import aligned, attributions, logit
from matrix import BY_NAME
from sequela.concurrency.deadline import Deadline
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.explanation import Explanation, StopReason
from sequela.explain.limits import Limits
from sequela.explain.options import FeatureScope, Level
from sequela.explain.request import EventInfo
from sequela.explain.schema import Link
from sequela.timeshap.players import PlayerKind

GRU = BY_NAME["gru"]
EVENTS = (Level.EVENT,)


def ask_gru(length: int, timeout: float = np.inf, seed: int = 0, **options: Any) -> Explanation:
    return ask(GRU, GRU.sample(length, seed), GRU.average(), timeout, **options)


def test_a_sampled_level_is_efficient_and_says_how_sure_it_is() -> None:
    """Past the budget a level is sampled: additive, with a standard error for every attribution, within the target."""
    answer = ask_gru(30, pruning_tolerance=0.0, levels=EVENTS, target_standard_error=0.002)
    (level,) = levels(answer)
    score = answer.targets[0]
    assert level.quality.stop_reason is StopReason.TARGET
    assert 0 < level.quality.largest_standard_error <= 0.002
    assert sum(a.values[0] for a in level.attributions) == pytest.approx(
        score.score - score.base_value, abs=1e-9
    )
    assert level.quality.coalitions < 32_768
    assert all(a.standard_errors[0] > 0 for a in level.attributions)


def test_the_recorded_number_of_coalitions_reproduces_a_level() -> None:
    """N of a level that stopped at its target, asked for as the budget with target 0, gives the same bits."""
    first = ask_gru(30, pruning_tolerance=0.0, levels=EVENTS, target_standard_error=0.002, seed=5)
    (level,) = levels(first)
    again = ask_gru(
        30,
        pruning_tolerance=0.0,
        levels=EVENTS,
        target_standard_error=0.0,
        max_coalitions=level.quality.coalitions,
        seed=5,
    )
    assert numbers(again.levels.get("event")) == numbers(level)
    assert levels(again)[0].quality.stop_reason is StopReason.BUDGET


def test_a_seed_reproduces_bytes() -> None:
    """Two servers give the same numbers for the same question."""
    first, second = (ask_gru(40, max_coalitions=700, target_standard_error=0.0) for _ in range(2))
    assert [numbers(level) for level in levels(first)] == [numbers(level) for level in levels(second)]


def test_a_budget_below_the_minimum_is_named() -> None:
    """A level that cannot be computed says so, and why; the others are answered."""
    answer = ask_gru(60, pruning_tolerance=0.0, max_coalitions=150)
    events, features, cells = levels(answer)
    assert events.quality.stop_reason is StopReason.NOT_COMPUTED
    assert events.attributions == ()
    assert "150" in events.quality.detail
    assert "240" in events.quality.detail
    assert features.quality.stop_reason is StopReason.EXACT
    assert cells.quality.stop_reason is StopReason.NOT_COMPUTED
    assert "event level" in cells.quality.detail


def test_more_players_than_the_limit_are_named() -> None:
    """The limit on players is told with the number and the way out."""
    model = loaded(GRU)
    asked = question(model, GRU.sample(20), GRU.average(), pruning_tolerance=0.0, levels=EVENTS)
    answer = explainer(model, limits=Limits(max_players=10)).explain(asked, Deadline())
    assert answer.levels.get("event") is not None
    assert answer.levels["event"].quality.stop_reason is StopReason.NOT_COMPUTED
    assert "20 players exceed the server's limit of 10; " in answer.levels["event"].quality.detail


def test_one_event_gets_everything() -> None:
    """A sequence of one event: no scan, one player, all of the difference."""
    answer = ask_gru(1)
    score = answer.targets[0]
    assert answer.pruning is not None
    assert answer.pruning.pruned_events == 0
    assert answer.pruning.curve == ()
    events = levels(answer)[0]
    assert [a.values[0] for a in events.attributions] == [score.score - score.base_value]


@pytest.mark.parametrize("scope", FeatureScope)
def test_one_feature_gets_what_the_pruned_block_leaves(scope: FeatureScope) -> None:
    """A model of one feature has an answer in both scopes."""
    case = BY_NAME["univariate"]
    answer = ask(case, case.sample(5), case.average(), feature_scope=scope, pruning_tolerance=0.001)
    score = answer.targets[0]
    features = answer.levels.get("feature")
    assert features is not None
    total = sum(a.values[0] for a in features.attributions)
    assert total == pytest.approx(score.score - score.base_value, abs=1e-12)


def test_a_constant_model_is_an_ordinary_answer() -> None:
    """Nothing moves the score: everything but the last event is pruned, all attributions are zero, nothing fails."""
    case = BY_NAME["constant"]
    answer = ask(case, case.sample(50), case.average())
    assert answer.pruning is not None
    assert answer.pruning.pruned_events == 49
    assert not any(any(a.values) for level in levels(answer) for a in level.attributions)


def test_a_sequence_equal_to_the_background_is_an_ordinary_answer() -> None:
    """Score and base value are the same; every attribution is zero."""
    answer = ask(GRU, GRU.background(12), GRU.average(), pruning_tolerance=0.0)
    assert answer.targets[0].score == answer.targets[0].base_value
    assert not any(any(a.values) for level in levels(answer) for a in level.attributions)


def test_everything_prunes_but_the_last_event() -> None:
    """A huge tolerance leaves t = 0 and P."""
    answer = ask_gru(12, pruning_tolerance=1e6)
    assert answer.pruning is not None
    assert answer.pruning.pruned_events == 11
    assert [a.kind for a in levels(answer)[0].attributions] == [PlayerKind.PRUNED, PlayerKind.EVENT]


def test_thousands_of_events_are_an_ordinary_answer() -> None:
    """2187 events, defaults: scanned, pruned and explained in full."""
    answer = ask_gru(2187)
    assert answer.event_count == 2187
    assert answer.pruning is not None
    assert answer.pruning.scan_complete
    assert all(level.quality.stop_reason is not StopReason.NOT_COMPUTED for level in levels(answer))


def test_a_threshold_that_selects_no_cell_is_an_answer() -> None:
    """Nothing is relevant: only P and all other cells are left, and they add up."""
    answer = ask_gru(12, cell_threshold=50.0, pruning_tolerance=0.01)
    cells = answer.levels.get("cell")
    assert cells is not None
    kinds = {a.kind for a in cells.attributions}
    assert kinds <= {PlayerKind.PRUNED, PlayerKind.OTHER}
    assert cells.quality.additivity_residual < 1e-12


def test_the_whole_curve_is_given_on_request() -> None:
    """Every split of the scan from the recent end, and the same cut as the scan that stops early."""
    short = ask_gru(40, levels=EVENTS, pruning_tolerance=0.01)
    whole = ask_gru(40, levels=EVENTS, pruning_tolerance=0.01, full_pruning_curve=True)
    assert short.pruning is not None
    assert whole.pruning is not None
    assert whole.pruning.pruned_events == short.pruning.pruned_events
    assert [point.event for point in whole.pruning.curve] == list(range(-1, -40, -1))


def test_logit_attributions_equal_the_brute_force() -> None:
    """With the logit link scores, base values and attributions are log-odds; the raw ones stand beside them."""
    sequence, background = GRU.sample(6), GRU.background(6)
    answer = ask(
        GRU,
        sequence,
        GRU.average(),
        levels=EVENTS,
        link=Link.LOGIT,
        pruning_tolerance=0.0,
        target_standard_error=0.0,
    )
    wanted = attributions(logit(GRU.scorer()), sequence, background, player_sets.events(GRU.layout(6)))
    assert answer.levels.get("event") is not None
    assert_same(answer.levels.get("event"), wanted, 1e-4)
    score = answer.targets[0]
    assert score.score == pytest.approx(np.log(score.raw_score / (1 - score.raw_score)), abs=1e-6)


def test_the_logit_of_no_probability_is_refused() -> None:
    """A regression output has no log-odds."""
    case = BY_NAME["regression"]
    with pytest.raises(DoesNotFit) as caught:
        ask(case, case.sample(5), case.average(), link=Link.LOGIT)
    assert caught.value.reason == "OUTPUT_NOT_PROBABILITY"


@pytest.mark.parametrize("name", ["per_event", "per_event_flat", "per_event_right"])
def test_an_earlier_output_is_explained_without_cutting_the_sequence(name: str) -> None:
    """output_event = -2: the step of t = -2 is explained, later events stay players."""
    case = BY_NAME[name]
    sequence = case.sample(6)
    answer = ask(
        case,
        sequence,
        case.average(),
        levels=EVENTS,
        output_event=-2,
        targets=tuple(map(str, range(len(case.targets)))),
        pruning_tolerance=0.0,
        target_standard_error=0.0,
    )
    wanted = attributions(case.scorer(-2), sequence, case.background(6), player_sets.events(case.layout(6)))
    assert answer.levels.get("event") is not None
    assert_same(answer.levels.get("event"), wanted, case.tolerance)


@pytest.mark.parametrize(("length", "rows"), [(4, 6), (6, 6), (8, 5), (5, 1)])
def test_a_background_matrix_is_aligned_at_the_most_recent_event(length: int, rows: int) -> None:
    """Its last row is t = 0; a shorter sequence uses the last rows, older events the mean row."""
    case = BY_NAME["linear64"]
    matrix = np.random.default_rng(3).normal(size=(rows, 4))
    background = {"events": aligned(matrix, matrix.mean(axis=0), length)}
    sequence = case.sample(length)
    answer = ask(
        case, sequence, {"events": matrix}, levels=EVENTS, pruning_tolerance=0.0, target_standard_error=0.0
    )
    wanted = attributions(case.scorer(), sequence, background, player_sets.events(case.layout(length)))
    assert answer.levels.get("event") is not None
    assert_same(answer.levels.get("event"), wanted, case.tolerance)


def test_permuting_features_permutes_the_answer() -> None:
    """The schema's order of features does not matter to what each gets."""
    case = BY_NAME["one_hot"]
    model = loaded(case)
    features = model.info.schema.features
    turned = Watched(model, lambda _: None)
    turned.info = replace(model.info, schema=replace(model.info.schema, features=features[::-1]))
    given = case.sample(6), case.average()
    options: dict[str, Any] = {
        "pruning_tolerance": 0.0,
        "target_standard_error": 0.0,
        "levels": (Level.FEATURE,),
    }
    plain = explainer(model).explain(question(model, *given, **options), Deadline())
    other = explainer(turned).explain(question(model, *given, **options), Deadline())
    assert plain.levels.get("feature") is not None
    assert other.levels.get("feature") is not None
    wanted = {a.feature: a.values[0] for a in plain.levels["feature"].attributions}
    found = {a.feature: a.values[0] for a in other.levels["feature"].attributions}
    assert list(found) == list(wanted)[::-1]
    assert found == pytest.approx(wanted, abs=1e-9)


def test_below_the_minimum_score_only_the_score_is_answered() -> None:
    """Score gating: the score and nothing more; the model runs the events of X only, once."""
    score = ask_gru(9, levels=EVENTS).targets[0].raw_score
    gated = ask_gru(9, minimum_score=score + 0.001)
    assert not gated.explained
    assert levels(gated) == []
    assert gated.cost.model_events == 9
    assert gated.targets[0].raw_score == pytest.approx(score, abs=1e-6)
    assert gated.targets[0].base_value is None
    assert ask_gru(9, minimum_score=score - 0.001).explained


def test_several_targets_share_one_cut() -> None:
    """The cut is the largest at which every target is within its tolerance; each target stays additive."""
    case = BY_NAME["targets64"]
    answer = ask(case, case.sample(8), case.average())
    assert answer.pruning is not None
    alone = [ask(case, case.sample(8), case.average(), targets=(str(t),)) for t in range(3)]
    assert answer.pruning.pruned_events <= min(a.pruning.pruned_events for a in alone if a.pruning)
    for level in levels(answer):
        total = np.sum([a.values for a in level.attributions], axis=0)
        np.testing.assert_allclose(total, [t.score - t.base_value for t in answer.targets], atol=1e-9)


def test_relative_defaults_for_unbounded_outputs() -> None:
    """Regression: tolerances are fractions of |f(X) - f(B)|, and the answer states the absolute values."""
    case = BY_NAME["regression"]
    answer = ask(case, case.sample(8), case.average())
    score = answer.targets[0]
    gain = abs(score.score - score.base_value)
    assert answer.options.pruning_tolerance == (pytest.approx(0.025 * gain),)
    assert answer.options.cell_threshold == (pytest.approx(0.1 * gain),)
    assert answer.options.target_standard_error == (pytest.approx(0.005 * gain),)
    bounded = ask_gru(8).options
    assert (bounded.pruning_tolerance, bounded.cell_threshold) == ((0.025,), (0.1,))


def test_raw_values_are_shown_as_people_read_them() -> None:
    """Unpruned events come with category names and numbers; the caller's notes come back, pruned events' too."""
    case = BY_NAME["multi_input"]
    model = loaded(case)
    notes = tuple(EventInfo(id=f"tx-{i}") for i in range(6))
    asked = question(model, case.sample(6), case.average(), notes, pruning_tolerance=1e6)
    answer = explainer(model).explain(asked, Deadline())
    assert [shown.info.id for shown in answer.event_values if shown.info] == [f"tx-{i}" for i in range(6)]
    assert [bool(shown.values) for shown in answer.event_values] == [False] * 5 + [True]
    shown = dict(
        zip([feature.name for feature in answer.features], answer.event_values[-1].values, strict=False)
    )
    assert shown["amount"] == f"{120 + 80 * case.sample(6)['numeric'][-1, 0]:,.2f}"
    assert shown["kind"] == str(case.sample(6)["ids"][-1, 0])
    regions = ("north", "east", "south", "west")
    assert answer.static_values[1] == regions[case.sample(6)["region"][0]]


def test_memory_is_bounded_by_the_batch() -> None:
    """32 768 coalitions over 2000 events of which hundreds are players: far below coalitions × sequence (1.3 GB)."""
    model = loaded(GRU)
    asked = question(
        model,
        GRU.sample(2000),
        GRU.average(),
        levels=(Level.FEATURE,),
        feature_scope=FeatureScope.FULL_SEQUENCE,
        target_standard_error=0.0,
        max_coalitions=2048,
    )
    explainer(model).explain(replace(asked, options=replace(asked.options, max_coalitions=128)), Deadline())
    tracemalloc.start()
    try:
        explainer(model).explain(asked, Deadline())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.parametrize(
    ("options", "path", "reason"),
    [
        ({"targets": ("nobody",)}, "options.targets[0]", "TARGET_UNKNOWN"),
        ({"targets": ("0", "score")}, "options.targets", None),
        ({"output_event": -1}, "options.output_event", "OUTPUT_EVENT_UNSUPPORTED"),
    ],
)
def test_options_that_do_not_fit_the_model(options: dict[str, Any], path: str, reason: str | None) -> None:
    """Each is named by its path in the request."""
    with pytest.raises(InvalidInput) as caught:
        ask_gru(5, **options)
    assert caught.value.violations[0].field.startswith(path)
    assert reason in (None, caught.value.reason)


def test_a_per_event_output_out_of_range_is_refused() -> None:
    """output_event must name one of the real events."""
    case = BY_NAME["per_event"]
    with pytest.raises(InvalidInput) as caught:
        ask(case, case.sample(5), case.average(), output_event=-5)
    assert caught.value.reason == "OUTPUT_EVENT_OUT_OF_RANGE"
    assert "from -4 to 0" in caught.value.message


def test_history_blocks_of_one_event_are_shown_too() -> None:
    """A pruned event that refinement isolates comes with its values; those still in a larger block do not."""
    answer = ask(
        GRU, GRU.sample(9), GRU.average(), levels=EVENTS, pruning_tolerance=0.01, refine_history=True
    )
    blocks = [a for a in levels(answer)[0].attributions if a.kind is PlayerKind.HISTORY]
    alone = {a.first_event for a in blocks if a.first_event == a.last_event}
    assert alone
    shown = {each.event: each.values for each in answer.event_values}
    assert shown.keys() == alone | {-4, -3, -2, -1, 0}
    assert all(shown.values())


def test_the_scan_alone_warns_of_what_it_saw() -> None:
    """Without levels there is no verdict: older splits that matter are warned of, and nothing is where they do not."""
    quiet = ask_gru(12, levels=(), pruning_tolerance=10.0)
    assert quiet.pruning is not None
    assert quiet.pruning.pruned_events == 11
    assert quiet.pruning.verdicts == quiet.warnings == ()
    scanned = ask_gru(12, seed=6, levels=(), pruning_tolerance=10.0, full_pruning_curve=True)
    assert scanned.pruning is not None
    worth = {point.event: abs(point.importance[0]) for point in scanned.pruning.curve}
    older = max(worth[event] for event in worth if event < -1)
    eta = (worth[-1] + older) / 2
    assert worth[-1] < eta < older
    loud = ask_gru(12, seed=6, levels=(), pruning_tolerance=eta)
    assert [each.reason for each in loud.warnings] == ["HISTORY_OFFSETS"]
