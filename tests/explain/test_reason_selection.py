"""At most four reasons, none that may be 0, in order of strength, ties told: against a plain computation."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest
from api import made
from hypothesis import given
from hypothesis import strategies as st
from sequela.explain.explanation import Attribution, LevelExplanation, TargetScore
from sequela.explain.result.reason_selection import candidates, select
from sequela.timeshap.players import PlayerKind

CELL, FEATURE, EVENT = PlayerKind.CELL, PlayerKind.FEATURE, PlayerKind.EVENT


def cell(value: float, error: float = 0.0, event: int = 0, feature: str = "a") -> Attribution:
    return Attribution(CELL, (value,), (error,), event, event, feature)


def target(score: float, base: float = 0.0) -> TargetScore:
    return TargetScore("t", base, score, base, score)


numbers = st.floats(-1, 1).map(lambda each: round(each, 3))
errors = st.one_of(st.just(0.0), st.floats(0, 0.3).map(lambda each: round(each, 3)), st.just(math.inf))
cells = st.lists(st.tuples(numbers, errors), max_size=9).map(
    lambda rows: [cell(value, error, -at) for at, (value, error) in enumerate(rows)]
)


@given(items=cells, score=numbers, base=numbers)
def test_selection_against_a_plain_computation(items: list[Attribution], score: float, base: float) -> None:
    """The same reasons in the same order, with the same ties, as a loop over all pairs finds them."""
    sign = -1 if score < base else 1
    left = [
        item
        for item in items
        if item.values[0] - 1.96 * item.standard_errors[0] > 0
        or item.values[0] + 1.96 * item.standard_errors[0] < 0
    ]
    left = [item for item in left if abs(item.values[0]) > 0.01 * abs(score - base) and item.values[0]]
    expected: list[tuple[float, int, bool]] = []
    while left and len(expected) < 4:
        towards = [item for item in left if item.values[0] * sign > 0] or left
        strongest = max(abs(item.values[0]) for item in towards)
        item = next(item for item in towards if abs(item.values[0]) == strongest)
        left.remove(item)
        tied = False
        if expected:
            before = next(each for each in items if each.first_event == expected[-1][1])
            error = math.sqrt(item.standard_errors[0] ** 2 + before.standard_errors[0] ** 2)
            gap = abs(abs(item.values[0]) - abs(before.values[0]))
            tied = item.values[0] * before.values[0] > 0 and gap <= 1.96 * error
        assert item.first_event is not None
        expected.append((item.values[0], item.first_event, tied))
    found = select(items, target(score, base), 0)
    assert [(each.value, each.attribution.first_event, each.tied) for each in found] == expected


@given(items=cells, score=numbers, random=st.randoms(use_true_random=False))
def test_selection_does_not_depend_on_the_order_of_attributions(
    items: list[Attribution], score: float, random: Random
) -> None:
    """Each cell is at an event of its own here, so equal strengths are ordered by event."""
    mixed = random.sample(items, len(items))
    assert select(mixed, target(score), 0) == select(items, target(score), 0)


def test_rounding_noise_is_no_reason() -> None:
    """Exact attributions of 1e-9 to a score that equals its base value are what is left of float32."""
    noise = [cell(1e-9), cell(-1e-9, event=-1)]
    assert select(noise, target(0.9, 0.9), 0) == ()
    assert len(select([cell(0.3), cell(-0.3, event=-1)], target(0.9, 0.9), 0)) == 2


def test_a_small_part_of_the_difference_is_no_reason() -> None:
    """A hundredth of what the score moved by does not make it what it is."""
    assert [each.value for each in select([cell(0.5), cell(0.005, event=-1)], target(0.9), 0)] == [0.5]


def test_what_is_not_a_number_is_no_reason() -> None:
    """A deadline may leave errors without a bound."""
    assert select([cell(math.nan), cell(0.5, math.nan), cell(0.5, math.inf)], target(0.9), 0) == ()


def test_exact_numbers_tie_only_if_they_are_equal() -> None:
    """Their interval is a point."""
    found = select([cell(0.3), cell(0.3, event=-1), cell(0.3 - 1e-12, event=-2)], target(0.9), 0)
    assert [each.tied for each in found] == [False, True, False]


def test_candidates_are_cells_else_features_else_events() -> None:
    """Groups and pruned events never are; static features, which have no cells, stand beside the cells."""
    whole = made.explanation()
    levels = {
        "event": made.level(PlayerKind.PRUNED, PlayerKind.HISTORY, EVENT, PlayerKind.STATIC),
        "feature": _named(made.level(FEATURE, FEATURE), "amount", "age"),
        "cell": made.level(CELL, PlayerKind.EVENT_REST, PlayerKind.FEATURE_REST, PlayerKind.OTHER),
    }
    full = replace(whole, levels=levels)
    assert [(each.kind, each.feature) for each in candidates(full)] == [(CELL, "f0"), (FEATURE, "age")]
    no_cells = levels | {"cell": made.level(PlayerKind.OTHER)}
    features = [(FEATURE, "amount"), (FEATURE, "age")]
    assert [(each.kind, each.feature) for each in candidates(replace(whole, levels=no_cells))] == features
    assert [each.kind for each in candidates(replace(whole, levels={"event": levels["event"]}))] == [EVENT]
    assert candidates(replace(whole, levels={})) == ()


def _named(level: LevelExplanation, *names: str) -> LevelExplanation:
    pairs = zip(level.attributions, names, strict=True)
    return replace(level, attributions=tuple(replace(item, feature=name) for item, name in pairs))


@pytest.mark.parametrize(("index", "value"), [(0, 0.5), (1, -0.25)])
def test_each_target_has_its_own_numbers(index: int, value: float) -> None:
    """The second target's attributions and errors are those of its column."""
    item = Attribution(CELL, (0.5, -0.25), (0.01, 0.02), 0, 0, "a")
    (found,) = select([item], target(0.9), index)
    assert (found.value, found.standard_error) == (value, item.standard_errors[index])
