"""Repeats a stored explanation, and compares all of its numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sequela_client.alert_document.material import Material
from sequela_client.explanation import Explanation

from sequela_console.alerts.capable import require
from sequela_console.alerts.documents import alert_material, alert_situation
from sequela_console.alerts.dry_runs import dry_run, same_options
from sequela_console.alerts.parameters import alert_id
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.sessions.visitor import Visitor
from sequela_console.state.trail import record

MAX_DIFFERENCES = 20
# Whole paths, since features may be called like these. It belongs to a request or to the time that it took, not to
# the numbers of an answer.
_NOT_NUMBERS = frozenset(
    {
        *("name", "create_time", "caller_id", "labels", "cost", "sequence", "sequence_state", "requested_by"),
        *("options", "pruning.quality.seconds"),
        *(f"{level}_level.quality.seconds" for level in ("event", "feature", "cell")),
    }
)

Leaf = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Whether a repetition gave the same numbers, see `ReplayResult` in types.ts."""

    same: bool
    differences: tuple[str, ...]
    digest: str
    replay_digest: str


def post_replay(console: Console, question: Question) -> ReplayResult:
    """Answers POST /api/alerts/{id}/replay."""
    id = alert_id(question.path)
    material = alert_material(console, question.visitor, id)
    require(material, alert_situation(console, question.visitor, material), "replay")
    result = compared(material.explanation, repeated(question.visitor, material))
    record(console.state, id, "replayed", question.visitor, _detail(result))
    return result


def repeated(visitor: Visitor, material: Material) -> Explanation:
    """Sends the stored request again, without looking up the stored answer."""
    explanation = material.explanation
    assert material.sequence is not None
    targets = tuple(each.name for each in explanation.targets)
    options = same_options(explanation.options, targets)
    background = explanation.background or None
    return dry_run(visitor.service, material.sequence, explanation.model, background, options)


def compared(stored: Explanation, repetition: Explanation) -> ReplayResult:
    """Compares all numbers of two explanations."""
    before, after = dict(numbers(stored)), dict(numbers(repetition))
    different = [name for name in (before | after) if before.get(name, "") != after.get(name, "")]
    told = [f"{name}: {before.get(name, 'absent')} → {after.get(name, 'absent')}" for name in different]
    if len(told) > MAX_DIFFERENCES:
        told = [*told[:MAX_DIFFERENCES], f"and {len(told) - MAX_DIFFERENCES:,} more"]
    return ReplayResult(not different, tuple(told), _digest(before), _digest(after))


def numbers(explanation: Explanation) -> Iterator[tuple[str, Leaf]]:
    """Yields every number and word of an answer with the path to it."""
    yield from _leaves("", explanation.to_dict())


def _leaves(path: str, item: Any) -> Iterator[tuple[str, Leaf]]:
    if isinstance(item, Mapping):
        for name, value in item.items():
            inner = f"{path}.{name}" if path else str(name)
            if inner not in _NOT_NUMBERS:
                yield from _leaves(inner, value)
    elif isinstance(item, list):
        for place, value in enumerate(item):
            yield from _leaves(f"{path}[{place}]", value)
    else:
        yield path, item


def _digest(leaves: Mapping[str, Leaf]) -> str:
    return hashlib.sha256(json.dumps(leaves, sort_keys=True).encode()).hexdigest()


def _detail(result: ReplayResult) -> str:
    return "the same numbers" if result.same else "other numbers"
