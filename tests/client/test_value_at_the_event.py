"""The value beside a feature's attribution is the one at the event that mattered; words for odd scores; notes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sequela_client import Attribution, Explanation, Sequela
from sequela_client.attributions import PlayerKind
from sequela_client.cli.level_tables import print_levels
from sequela_client.summary import summary_lines
from serving import Serving, embedded

DEMO = Path(__file__).resolve().parents[2] / "service" / "sequela" / "demo"
SEQUENCE = [[1.0, 2.0]] * 4


@pytest.fixture(scope="module")
def false_alert() -> Iterator[Explanation]:
    """The demo's false alert: a distance of 464 km at t = -4, of 23 km at t = 0."""
    inputs = json.loads((DEMO / "alerts" / "false-alert.json").read_text())["inputs"]
    with Serving(embedded(model_repository=DEMO / "models")) as served, Sequela(served.bound.grpc) as client:
        yield client.explain(inputs, model="account_takeover")


@pytest.fixture
def told(client: Sequela) -> Explanation:
    """The scripted answer: events 0 (+0.9) and -1 (-0.12), one cell, of `amount` at t = 0."""
    return client.explain(SEQUENCE, model="m").target("fraud")


def drawn(explanation: Explanation) -> str:
    console = Console(file=io.StringIO(), width=120, markup=False, emoji=False, highlight=False)
    print_levels(console, explanation, 8)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return " ".join(text.split())


def cell(t: int, value: float, feature: str = "amount") -> Attribution:
    return Attribution(PlayerKind.CELL, (value,), (0.0,), t=t, feature=feature)


def with_cells(told: Explanation, *cells: Attribution) -> Explanation:
    assert told.cell_level is not None
    return replace(told, levels={**told.levels, "cell": replace(told.cell_level, attributions=cells)})


def test_the_value_is_the_one_that_raised_the_score(false_alert: Explanation) -> None:
    """464 km, four events ago, and not the latest event's 23 km: in the table and in the story."""
    distance = next(each.name for each in false_alert.feature_info if "Distance" in each.label)
    assert false_alert.peak(distance) == -4
    assert false_alert.displayed(-4, distance) == "463.5"
    strongest = max(
        (item for item in false_alert.cells if item.kind is PlayerKind.CELL and item.feature == distance),
        key=lambda item: abs(item.value),
    )
    assert strongest.t == -4
    text = drawn(false_alert)
    assert "value (event)" in text
    assert "463.5 km (t=-4)" in text
    assert "(463.5 km, at event t=-4)" in " ".join(" ".join(summary_lines(false_alert)).split())


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ((cell(0, 0.1), cell(-1, -0.6)), -1),  # the strongest, whatever its sign
        ((cell(0, 0.1), cell(-1, -0.6, "device")), 0),  # of this feature
        ((cell(-3, 0.9), cell(0, 0.1)), 0),  # a pruned event's value is not known
        ((), None),  # two events have two values, and nothing tells which of them mattered
    ],
)
def test_the_strongest_cell_has_the_word(
    told: Explanation, cells: tuple[Attribution, ...], wanted: int | None
) -> None:
    """A value beside an attribution that another event earned would mislead: without a cell there is none."""
    assert with_cells(told, *cells).peak("amount") == wanted


def test_a_value_that_never_changes_needs_no_cell(told: Explanation) -> None:
    """The same at every event whose values are known, it is read at the most recent one."""
    alike = tuple(replace(event, values={"amount": "7", "device": "new"}) for event in told.event_values)
    assert replace(with_cells(told), event_values=alike).peak("amount") == 0
    assert replace(told, event_values=()).peak("amount") is None
    assert told.peak("nobody") is None


def test_a_view_of_one_target_has_its_own_largest_error(client: Sequela) -> None:
    """Another target's error is not printed above this one's rows."""
    both = client.explain(SEQUENCE, model="m")
    assert both.event_level is not None
    apart = tuple(replace(item, standard_errors=(0.00001, 0.004)) for item in both.event_level.attributions)
    both = replace(both, levels={**both.levels, "event": replace(both.event_level, attributions=apart)})
    for name, error in (("fraud", 0.00001), ("honest", 0.004)):
        level = both.target(name).event_level
        assert level is not None
        assert level.quality.largest_standard_error == error
    assert "largest standard error 1e-05" in drawn(both.target("fraud"))


@pytest.mark.parametrize(
    ("base", "score", "said"),
    [
        (0.1, 0.9, "fraud: 0.90. With nothing known about the history, it is 0.10."),
        (0.00001, 0.9, "fraud: 0.90. With nothing known about the history, it is less than 0.01."),
        (0.501, 0.503, "fraud: 0.5030. With nothing known about the history, it is 0.5010."),
        (0.00003, 0.00001, "fraud: 0.000010. With nothing known about the history, it is 0.000030."),
        (-0.0001, -0.9, "fraud: -0.90. With nothing known about the history, it is 0.00."),
        (0.5, 0.5, "fraud: 0.50. With nothing known about the history, it is 0.50."),
        (15300.25, 15321.5, "fraud: 15,322. With nothing known about the history, it is 15,300."),
        (0.00048, 0.00052, "fraud: 0.000520. With nothing known about the history, it is 0.000480."),
    ],
)
def test_scores_that_differ_read_differently(told: Explanation, base: float, score: float, said: str) -> None:
    """Two decimals, or as many as tell them apart; no minus before a zero."""
    target = replace(told.targets[0], base_value=base, score=score)
    assert said in list(summary_lines(replace(told, targets=(target,))))


def test_what_is_not_explained_has_a_short_story(told: Explanation) -> None:
    """There is no base value to tell of."""
    bare = replace(told, explained=False, levels={})
    lines = list(summary_lines(bare))
    assert lines[-1] == "fraud: 0.90. This is below the minimum score, so it is not explained."


def test_pruned_events_that_are_most_of_the_difference_matter(told: Explanation) -> None:
    """Also where a generous tolerance is larger still."""
    large = replace(told.pruning, values=(0.5,), tolerances=(10.0,))
    assert (
        "older events (t=-3…-2) matter as well: +0.50 together"
        in list(summary_lines(replace(told, pruning=large)))[-1]
    )
    small = replace(told.pruning, values=(0.01,), tolerances=(10.0,))
    assert "older events (t=-3…-2) hardly matter" in list(summary_lines(replace(told, pruning=small)))[-1]


def test_how_many_targets_there_are(client: Sequela) -> None:
    """Of many targets a few are drawn, and all counted."""
    told = client.explain(SEQUENCE, model="m")
    names = [f"item{number}" for number in range(20)]

    def wide(level: Any) -> Any:
        spread = [
            replace(a, values=a.values * 10, standard_errors=a.standard_errors * 10)
            for a in level.attributions
        ]
        return replace(level, attributions=tuple(spread))

    many = replace(
        told,
        targets=tuple(replace(told.targets[0], name=name) for name in names),
        levels={name: wide(level) for name, level in told.levels.items()},
        output_count=1683,
    )
    text = drawn(many)
    assert "3 of 20 targets shown, of 1,683 outputs (see --target, --json, --csv)" in text
    assert "targets shown" not in drawn(told)
