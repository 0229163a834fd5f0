"""Reasons as sentences: the built-in ones, those of a schema, and what hostile or missing values make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from api import made
from asking import explainer, loaded, question
from hypothesis import given
from hypothesis import strategies as st
from matrix import BY_NAME
from sequela.concurrency.deadline import Deadline
from sequela.explain.explanation import (
    Attribution,
    EventValues,
    Explanation,
    Feature,
    LevelExplanation,
    Pruning,
)
from sequela.explain.identity import model_digest
from sequela.explain.options import FeatureScope, Level
from sequela.explain.request import EventInfo
from sequela.explain.result.reasons import reasons
from sequela.explain.schema import Direction, ReasonTemplate, ReasonTemplates
from sequela.timeshap.players import PlayerKind

CELL, FEATURE, EVENT = PlayerKind.CELL, PlayerKind.FEATURE, PlayerKind.EVENT
WHEN = datetime(2026, 4, 2, 17, 34, 59, tzinfo=UTC)
AMOUNT, SHOP = Feature("amount", "Amount", "EUR"), Feature("shop", "Kind of shop", "")
AGE = Feature("age", "client's age", "years", static=True)


def told(
    kind: PlayerKind,
    values: Mapping[tuple[int | None, str | None], float],
    templates: ReasonTemplates | None = None,
    **fields: Any,
) -> list[str]:
    """The sentences about these players, (event, feature), of a sequence of three events."""
    return [each.text for each in reasons(answer(kind, values, **fields), templates)]


def answer(
    kind: PlayerKind, values: Mapping[tuple[int | None, str | None], float], **fields: Any
) -> Explanation:
    name = {CELL: "cell", FEATURE: "feature", EVENT: "event"}[kind]
    attributions = tuple(
        Attribution(kind, (value,), (0.0,), event, event, feature)
        for (event, feature), value in values.items()
    )
    basis = made.explanation()
    standard: dict[str, Any] = {
        "event_count": 3,
        "targets": basis.targets[:1],
        "levels": {name: LevelExplanation(attributions, made.QUALITY)},
        "pruning": None,
        "features": (AMOUNT, SHOP, AGE),
        "event_values": (
            EventValues(-2, ("1.00", "web")),
            EventValues(-1, ("2.00", "web")),
            EventValues(0, ("3.00", "web")),
        ),
        "static_values": ("39",),
    }
    return replace(basis, **(standard | fields))


def test_cells_in_built_in_words() -> None:
    """Numbers stand with their unit, words in quotation marks, events by their place."""
    found = told(CELL, {(0, "amount"): 0.4, (-1, "amount"): 0.3, (-2, "shop"): 0.2, (0, "shop"): -0.1})
    assert found == [
        "Amount of 3.00 EUR at the latest event raised the score.",
        "Amount of 2.00 EUR at the event before the latest raised the score.",
        'Kind of shop "web" at the event 2 before the latest raised the score.',
        'Kind of shop "web" at the latest event lowered the score.',
    ]


def test_times_and_texts_of_the_caller_are_used() -> None:
    """The caller's own display of a value goes before the model's; times are told to the minute, in UTC."""
    notes = EventInfo("e", WHEN, {"amount": "2,109.43 EUR"})
    values = (EventValues(0, ("3.00", "web"), notes),)
    assert told(CELL, {(0, "amount"): 0.4, (0, "shop"): 0.2}, event_values=values) == [
        "Amount of 2,109.43 EUR at 2026-04-02 17:34 raised the score.",
        'Kind of shop "web" at 2026-04-02 17:34 raised the score.',
    ]


def test_features_in_built_in_words() -> None:
    """A value stands only where it is the same at all events that the feature acted on."""
    found = told(FEATURE, {(None, "amount"): 0.4, (None, "shop"): 0.3, (None, "age"): -0.2})
    assert found == [
        "Amount over all events raised the score.",
        'Kind of shop "web" raised the score.',
        "Client's age of 39 years lowered the score.",
    ]


def test_features_over_the_unpruned_events() -> None:
    """With two events pruned there is one event, whose value and time are told; with one there are two."""
    options = replace(made.explanation().options, feature_scope=FeatureScope.UNPRUNED)

    def pruned(count: int) -> list[str]:
        pruning = Pruning(count, (0.025,), True)
        return told(FEATURE, {(None, "amount"): 0.4}, options=options, pruning=pruning)

    assert pruned(2) == ["Amount of 3.00 EUR at the latest event raised the score."]
    assert pruned(1) == ["Amount over the 2 recent events raised the score."]
    assert pruned(0) == ["Amount over all events raised the score."]


def test_events_in_built_in_words() -> None:
    """If only the event level is there, events are reasons."""
    noted = (EventValues(-1, (), EventInfo("", WHEN)),)
    values = {(0, None): 0.4, (-1, None): 0.3, (-2, None): -0.2}
    assert told(EVENT, values, event_values=noted) == [
        "The latest event raised the score.",
        "The event at 2026-04-02 17:34 raised the score.",
        "The event 2 before the latest lowered the score.",
    ]


def test_a_value_that_is_not_known_is_left_out() -> None:
    """An older store, or a pruned event, may have no value for a cell."""
    assert told(CELL, {(0, "amount"): 0.4}, event_values=()) == [
        "Amount at the latest event raised the score."
    ]


@pytest.mark.parametrize("name", ["f0", "3", "f12", "left.f0"])
def test_features_without_names_have_no_reasons(name: str) -> None:
    """`f0` says nothing to people, so there is no sentence about it, nor about events with nothing else."""
    unnamed = (Feature(name, name, ""),)
    assert told(CELL, {(0, name): 0.4}, features=unnamed) == []
    assert told(EVENT, {(0, None): 0.4}, features=unnamed) == []
    any_feature = ReasonTemplates("1", (ReasonTemplate("{label}", "*"),))
    assert told(CELL, {(0, name): 0.4}, any_feature, features=unnamed) == []
    labelled = (Feature(name, "Amount", ""),)
    assert told(CELL, {(0, name): 0.4}, features=labelled, event_values=()) == [
        "Amount at the latest event raised the score."
    ]


def test_templates_of_features_and_events_without_names_are_used() -> None:
    """Whoever writes a template for `f0` gave it words."""
    unnamed = (Feature("f0", "f0", ""),)
    own = ReasonTemplates(2, (ReasonTemplate("The sum at {time}.", "f0"), ReasonTemplate("All of {time}.")))
    assert told(CELL, {(0, "f0"): 0.4}, own, features=unnamed) == ["The sum at the latest event."]
    assert told(EVENT, {(0, None): 0.4}, own, features=unnamed) == ["All of the latest event."]


def test_templates_are_named_in_the_answer() -> None:
    """Which template and version made a sentence; the built-in ones have a version of their own."""
    templates = ReasonTemplates(
        2.5,
        (
            ReasonTemplate("{value} were paid at {time}.", "amount", Direction.RAISES),
            ReasonTemplate("{label}: {value}", "*", Direction.LOWERS),
        ),
    )
    values = {(0, "amount"): 0.4, (0, "shop"): 0.3, (-1, "shop"): -0.2}
    found = reasons(answer(CELL, values), templates)
    assert [(each.text, each.template, each.template_version) for each in found] == [
        ("3.00 EUR were paid at the latest event.", "templates[0]", "2.5"),
        ('Kind of shop "web" at the latest event raised the score.', "default", "1"),
        ("Kind of shop: web", "templates[1]", "2.5"),
    ]


def test_a_template_with_a_value_is_not_used_for_several_values() -> None:
    """A feature that differs from event to event has no one value to tell."""
    templates = ReasonTemplates("1", (ReasonTemplate("{value} were paid.", "amount"),))
    assert told(FEATURE, {(None, "amount"): 0.4}, templates) == ["Amount over all events raised the score."]


HOSTILE = [
    "{label}",
    "{0.__class__}",
    "{{",
    "%s%n",
    "\x1b]0;title\x07",
    "a\nb",
    "<script>",
    "\u202eevil",
    "x" * 9999,
]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_stay_values(value: str) -> None:
    """Braces are text, control characters are gone, and no value is longer than a hundred characters."""
    notes = EventInfo("", None, {"amount": value})
    templates = ReasonTemplates("1", (ReasonTemplate("<{value}>", "amount"),))
    (found,) = told(CELL, {(0, "amount"): 0.4}, templates, event_values=(EventValues(0, (), notes),))
    assert found.isprintable()
    assert len(found) <= 102
    if value.isprintable() and len(value) < 100:
        assert found == f"<{value}>"


@given(text=st.text(max_size=300), name=st.text(min_size=1, max_size=300))
def test_any_texts_make_one_line_each(text: str, name: str) -> None:
    """Names and values of any content give at most one bounded line for each reason, and the same again."""
    named = (Feature(name, name, text),)
    values = (EventValues(0, (text,), EventInfo(text, WHEN, {name: text, text: name})),)
    one, other = (told(CELL, {(0, name): 0.4}, features=named, event_values=values) for _ in range(2))
    assert one == other
    assert all(each.isprintable() and len(each) < 300 for each in one)


def test_reasons_of_each_target() -> None:
    """Four at most for each target, which each reason names; order and sign are that target's."""
    whole = answer(CELL, {(0, "amount"): 0.4, (0, "shop"): 0.2})
    level = whole.levels["cell"]
    two = tuple(
        replace(item, values=(value, other), standard_errors=(0.0, 0.0))
        for item, value, other in zip(level.attributions, (0.4, 0.2), (-0.1, 0.5), strict=True)
    )
    both = replace(
        whole, targets=made.explanation().targets, levels={"cell": replace(level, attributions=two)}
    )
    found = [(each.target, each.feature, each.value) for each in reasons(both, None)]
    assert found == [("t", "amount", 0.4), ("t", "shop", 0.2), ("u", "shop", 0.5), ("u", "amount", -0.1)]


def test_reasons_are_computed_with_the_answer_and_follow_new_notes() -> None:
    """An answer from the store tells its reasons with the notes of the request at hand; numbers stay the same."""
    case = BY_NAME["account"]
    model = loaded(case)
    service = explainer(model)
    sequence = case.sample(6)

    def asked(note: str) -> Explanation:
        names = [feature.name for feature in model.info.schema.features]
        events = tuple(EventInfo(display=dict.fromkeys(names, f"{note} {at}")) for at in range(6))
        wanted = question(model, sequence, case.average(), events, pruning_tolerance=0.0, cell_threshold=0.0)
        return service.explain(wanted, Deadline())

    first, second = asked("one"), asked("two")
    assert not first.cost.cached
    assert second.cost.cached
    assert 0 < len(first.reasons) <= 4
    assert [each.value for each in first.reasons] == [each.value for each in second.reasons]
    assert all(f'"one {5 + (each.event or 0)}"' in each.text for each in first.reasons if each.kind is CELL)
    assert [each.text.replace("one", "two") for each in first.reasons] == [
        each.text for each in second.reasons
    ]
    levels = first.levels
    every = {
        (a.kind, a.last_event, a.feature, *a.values) for level in levels.values() for a in level.attributions
    }
    assert {(each.kind, each.event, each.feature, each.value) for each in first.reasons} <= every


def test_a_score_below_the_minimum_has_no_reasons() -> None:
    """Nothing was explained, so nothing is told."""
    case = BY_NAME["gru"]
    model = loaded(case)
    asked = question(model, case.sample(5), case.average(), minimum_score=np.inf, levels=(Level.EVENT,))
    assert explainer(model).explain(asked, Deadline()).reasons == ()


def test_other_templates_make_another_digest() -> None:
    """Templates are part of the schema, and so of the model's digest and the content key: no stored text is reused."""
    one, other = b'{"reasons": {"version": 1}}', b'{"reasons": {"version": 2}}'
    assert model_digest(b"onnx", one) != model_digest(b"onnx", other)
