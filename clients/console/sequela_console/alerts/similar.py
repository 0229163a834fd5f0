"""Stored alerts that have their scores for similar reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sequela_client.explanation import Explanation

from sequela_console.alert_index.effects import (
    Vector,
    content_digest,
    effect_features,
    effect_space,
    effect_vector,
)
from sequela_console.alert_index.nearest import Near, OwnAlert
from sequela_console.alerts.capable import require
from sequela_console.alerts.documents import MAX_TARGETS, alert_material, alert_situation
from sequela_console.alerts.parameters import alert_id, integer
from sequela_console.alerts.summaries import AlertSummary, summaries
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.state.alert_list import alert_row

DEFAULT_LIMIT, MAX_LIMIT = 10, 50
STRONGEST = 5
"""Features in common are looked for among this many of the strongest features of each alert."""
MAX_COMMON = 2


@dataclass(frozen=True, slots=True)
class SimilarAlert:
    """A stored alert that is like another, see `SimilarAlert` in types.ts."""

    alert: AlertSummary
    distance: float
    common: tuple[str, ...]
    later: bool


def get_similar(console: Console, question: Question) -> tuple[SimilarAlert, ...]:
    """Answers GET /api/alerts/{id}/similar."""
    id = alert_id(question.path)
    limit = integer(question.query, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT)
    target = integer(question.query, "target", 0, MAX_TARGETS - 1, 0)
    material = alert_material(console, question.visitor, id, target)
    require(material, alert_situation(console, question.visitor, material), "similar")
    explanation = material.explanation
    vector = effect_vector(explanation, target)
    assert vector is not None
    own = OwnAlert(id, explanation.caller_id, content_digest(explanation))
    near = console.index.nearest.nearest(effect_space(explanation, target), vector, own, limit)
    return _answer(console, near, vector, explanation)


def common_drivers(first: Vector, second: Vector, features: Sequence[str]) -> tuple[str, ...]:
    """Returns the features that push both scores the same way and are strong in both, the strongest first."""
    a, b = first[: len(features)], second[: len(features)]
    strong = set(np.argsort(-np.abs(a), kind="stable")[:STRONGEST].tolist())
    strong &= set(np.argsort(-np.abs(b), kind="stable")[:STRONGEST].tolist())
    shared = [place for place in strong if a[place] * b[place] > 0]
    shared.sort(key=lambda place: (-min(abs(float(a[place])), abs(float(b[place]))), place))
    return tuple(features[place] for place in shared[:MAX_COMMON])


def _answer(
    console: Console, near: Sequence[Near], vector: Vector, explanation: Explanation
) -> tuple[SimilarAlert, ...]:
    features = effect_features(explanation)
    rows = [(each, alert_row(console.state, each.id)) for each in near]
    known = [(each, row) for each, row in rows if row is not None]
    lines = summaries(console, [row for _, row in known])
    return tuple(
        SimilarAlert(
            alert=line,
            distance=each.distance,
            common=common_drivers(vector, each.vector, features),
            later=line.created > explanation.create_time,
        )
        for line, (each, _) in zip(lines, known, strict=True)
    )
