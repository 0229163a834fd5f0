"""A level that is not built in is registered, asked for, explained and stored like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import player_sets
import pytest
from adapters.store import store_samples
from asking import assert_same, explainer, loaded, numbers, question
from brute_force import attributions
from matrix import BY_NAME, Case
from sequela.adapters.store.ports import StoredRecord
from sequela.adapters.store.serialization import decode_body, encode_body
from sequela.concurrency.deadline import Deadline
from sequela.errors import InvalidInput
from sequela.explain.estimate.rules import GameRules
from sequela.explain.explanation import Explanation, StopReason
from sequela.explain.levels.definition import LevelContext, LevelDefinition, LevelResult, LevelResults
from sequela.explain.levels.registry import BUILT_IN_LEVELS, LevelRegistry, level_ends
from sequela.explain.options import Level
from sequela.timeshap.players import event_players

LENGTH = 6


def play_halves(context: LevelContext, rules: GameRules, _: LevelResults) -> LevelResult:
    """Two players: the older and the newer half of the events; static inputs are a third."""
    half = context.extent.length // 2
    return LevelResult(
        context.play(event_players(context.extent, (half, context.extent.length - half)), rules)
    )


BUILT_IN = tuple(each.name for each in BUILT_IN_LEVELS.definitions)
HALVES = LevelDefinition(name="test_halves", time_share=0.1, play=play_halves, needs_cut=lambda _: False)
WITH_HALVES = LevelRegistry((*BUILT_IN_LEVELS.definitions, HALVES))


def ask(case: Case, registry: LevelRegistry = WITH_HALVES, **options: Any) -> Explanation:
    """The explanation of one sequence, for all targets, by an explainer with this registry."""
    model = loaded(case)
    wanted: dict[str, Any] = {"target_standard_error": 0.0, "top_k_events": 2, "top_k_features": 2}
    wanted |= {"targets": tuple(map(str, range(len(case.targets))))} | options
    asked = question(model, case.sample(LENGTH, 0), case.average(), **wanted)
    return explainer(model, levels=registry).explain(asked, Deadline())


@pytest.mark.parametrize("name", ["gru", "conv", "multi_input", "static64"])
def test_a_registered_level_is_exact(name: str) -> None:
    """Asked for alone, its numbers are those of the brute force."""
    case = BY_NAME[name]
    answer = ask(case, levels=("test_halves",))
    layout = case.layout(LENGTH)
    players = player_sets.blocks(layout, [range(3), range(3, LENGTH)], cut=LENGTH)
    players = [player for player in players if player.key != ("pruned",)]
    wanted = attributions(case.scorer(), case.sample(LENGTH, 0), case.background(LENGTH), players)
    assert list(answer.levels) == ["test_halves"]
    assert answer.pruning is None
    assert_same(answer.levels["test_halves"], wanted, case.tolerance)


def test_it_changes_no_other_level() -> None:
    """All four levels: the three that are built in have the numbers, bit for bit, that they have without it."""
    answer = ask(BY_NAME["multi_input"], levels=("test_halves", "cell"), pruning_tolerance=0.003)
    plain = ask(BY_NAME["multi_input"], BUILT_IN_LEVELS, pruning_tolerance=0.003)
    assert list(answer.levels) == [*plain.levels, "test_halves"]
    assert answer.options.levels == ("event", "feature", "cell", "test_halves")
    for name, level in plain.levels.items():
        assert numbers(answer.levels[name]) == numbers(level)
    assert replace(answer.pruning, quality=None) == replace(plain.pruning, quality=None)
    assert {"event", "feature", "cell", "test_halves"} < set(answer.cost.stage_seconds)


def test_it_survives_the_store() -> None:
    """An answer with it comes back equal in every field."""
    answer = ask(BY_NAME["gru"], levels=("test_halves", "event"))
    record, body = store_samples.record_of(answer), encode_body(answer, None)
    assert decode_body(StoredRecord(record, body.data)).explanation == answer


def test_only_required_levels_join() -> None:
    """Cells bring events and features, and nothing else; a level may require a registered one."""
    assert WITH_HALVES.select_names(("cell",)) == ("event", "feature", "cell")
    quarters = replace(HALVES, name="quarters", requires=("test_halves",))
    registry = LevelRegistry((*WITH_HALVES.definitions, quarters))
    assert registry.select_names(("quarters", "event")) == ("event", "test_halves", "quarters")
    assert registry.select_names(tuple(Level)) == BUILT_IN
    assert registry.select_names(()) == ()


def test_a_level_sees_the_results_it_requires() -> None:
    """And can be left out where one of them was not computed."""
    seen: list[list[str]] = []

    def play(context: LevelContext, rules: GameRules, results: LevelResults) -> LevelResult:
        seen.append(list(results))
        return results["event"]

    again = LevelDefinition(name="again", time_share=0.1, play=play, requires=("event",))
    answer = ask(BY_NAME["gru"], LevelRegistry((*BUILT_IN_LEVELS.definitions, again)), levels=("again",))
    assert seen == [["event"]]
    assert numbers(answer.levels["again"]) == numbers(answer.levels["event"])
    assert answer.levels["again"].quality.stop_reason is StopReason.EXACT


def test_the_time_is_divided_by_shares() -> None:
    """Among the levels that are played, in their order; the last one ends with the deadline."""
    levels = WITH_HALVES.select(("event", "test_halves"))
    assert level_ends(levels, 100.0, 200.0) == pytest.approx({"event": 180.0, "test_halves": 200.0})
    assert set(level_ends(levels, 100.0, np.inf).values()) == {np.inf}
    assert level_ends((), 100.0, 200.0) == {}


def test_unknown_levels_are_named() -> None:
    """With those that there are."""
    known = ", ".join(sorted((*BUILT_IN, "test_halves")))
    with pytest.raises(InvalidInput, match=f"quarters.*{known}") as caught:
        ask(BY_NAME["gru"], levels=("event", "quarters"))
    assert caught.value.reason == "LEVEL_UNKNOWN"
    assert [each.field for each in caught.value.violations] == ["options.levels"]
    with pytest.raises(InvalidInput) as over_rest:
        WITH_HALVES.select_names(("quarters",), "levels")
    assert [each.field for each in over_rest.value.violations] == ["levels"]


@pytest.mark.parametrize(
    "definitions",
    [
        pytest.param((HALVES, HALVES), id="twice"),
        pytest.param((replace(HALVES, requires=("event",)), *BUILT_IN_LEVELS.definitions), id="too early"),
    ],
)
def test_a_registry_is_in_order(definitions: tuple[LevelDefinition, ...]) -> None:
    """Every name once, and what a level requires before it."""
    with pytest.raises(ValueError, match="test_halves"):
        LevelRegistry(definitions)
