"""Explanations for tests of figures and pages: of the demo's alerts, and made up for what no model answers."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from sequela_client import Attribution, Explanation, PlayerKind, Sequela
from sequela_client.explanation_parts import Feature, PruningPoint
from sequela_client.files import read_sequence
from serving import Serving, embedded

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "service" / "sequela" / "demo"
ALERTS = ("false-alert", "takeover-20", "takeover-47", "takeover-286")
EVERY_ALERT = [
    pytest.param(name, marks=() if name in ("false-alert", "takeover-20") else pytest.mark.slow)
    for name in ALERTS
]
"""Parameters of tests; the fast tests take one alert of each kind."""


@cache
def demo_alerts() -> dict[str, Explanation]:
    """All bundled alerts, explained with the whole pruning curve."""
    with (
        Serving(embedded(model_repository=DEMO / "models")) as serving,
        Sequela(serving.bound.grpc) as sequela,
    ):
        return {
            name: sequela.explain(
                read_sequence(DEMO / "alerts" / f"{name}.json"),
                model="account_takeover",
                full_pruning_curve=True,
            )
            for name in ALERTS
        }


def with_level(explanation: Explanation, name: str, items: Iterable[Attribution]) -> Explanation:
    """The explanation with other attributions at one level."""
    level = replace(explanation.levels[name], attributions=tuple(items))
    return replace(explanation, levels={**explanation.levels, name: level})


def scaled(explanation: Explanation, factor: float) -> Explanation:
    """The explanation of a model whose output is so many times as large."""

    def times(numbers: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(number * factor for number in numbers)

    for name, level in explanation.levels.items():
        items = [
            replace(item, values=times(item.values), standard_errors=times(item.standard_errors))
            for item in level.attributions
        ]
        explanation = with_level(explanation, name, items)
    pruning = explanation.pruning
    pruning = replace(
        pruning,
        values=times(pruning.values),
        standard_errors=times(pruning.standard_errors),
        tolerances=times(pruning.tolerances),
        curve=tuple(PruningPoint(point.t, times(point.importances)) for point in pruning.curve),
    )
    targets = tuple(
        replace(each, score=each.score * factor, base_value=each.base_value * factor)
        for each in explanation.targets
    )
    return replace(explanation, pruning=pruning, targets=targets)


def large(explanation: Explanation, events: int, features: int) -> Explanation:
    """Nothing pruned, so many events and features; some names are long, and some look like formulas of TeX."""
    draw = random.Random(7)
    names = [
        f"$f_{{{at}}}$" if at % 3 else f"a name that is much longer than others, number {at}"
        for at in range(features)
    ]
    event_items = [
        Attribution(PlayerKind.EVENT, (draw.uniform(-1, 1),), (draw.uniform(0, 0.2),), t=t)
        for t in range(1 - events, 1)
    ]
    feature_items = [
        Attribution(PlayerKind.FEATURE, (draw.gauss(0, 1),), (draw.uniform(0, 0.2),), feature=name)
        for name in names
    ]
    bare = replace(explanation.pruning, pruned_events=0, values=(), standard_errors=(), verdicts=(), curve=())
    made = with_level(with_level(explanation, "event", event_items), "feature", feature_items)
    made = with_level(made, "cell", [])
    info = tuple(Feature(name, "", "", "", False) for name in names)
    return replace(made, length=events, pruning=bare, feature_info=info, event_values=())
