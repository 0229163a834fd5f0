"""Collects the facts about a request for `explanation.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.errors import SequelaError
from sequela.explain.base_and_score import ScoredTask
from sequela.explain.explanation import Explanation
from sequela.explain.layout import Layout
from sequela.explain.schema import InputSchema
from sequela.explain.task import Task
from sequela.timeshap.players import Player, PlayerKind

Facts = dict[str, Any]

MEANINGS: Mapping[PlayerKind, str] = {
    PlayerKind.EVENT: "all features of the event t={last}",
    PlayerKind.FEATURE: "{feature}, wherever no other player owns it",
    PlayerKind.CELL: "{feature} of the event t={last}",
    PlayerKind.EVENT_REST: "the other features of the event t={last}",
    PlayerKind.FEATURE_REST: "{feature} of the other events",
    PlayerKind.PRUNED: "the pruned events t={first} to t={last}, together",
    PlayerKind.HISTORY: "the pruned events t={first} to t={last}, one block of several",
    PlayerKind.STATIC: "all static inputs, together",
    PlayerKind.OTHER: "all other cells, together",
}
"""Which cells a player of each kind owns."""


def task_facts(name: str, task: Task) -> Facts:
    """Returns the model, the background, the sequence and the options of a request."""
    info, padding = task.model.info, task.prepared.padding
    return {
        "explanation": name,
        "status": "running",
        "started": datetime.now(UTC).isoformat(),
        "caller_id": task.request.caller_id,
        "model": {
            "name": info.name,
            "digest": info.digest,
            "fixed_length": info.fixed_length,
            "endpoint": task.model.endpoint.info.uri if task.model.endpoint else None,
        },
        "background": {
            "name": task.background_name,
            "digest": task.background.digest,
            "rows": task.background.length,
        },
        "sequence": {
            "events": task.prepared.cells.length,
            "padding_before": len(padding.before[0]),
            "padding_after": len(padding.after[0]),
        },
        "requested_options": asdict(task.request.options),
        "inputs": list(_inputs(task.layout)),
        "features": [
            {"feature": number, "name": each.name, "columns": each.columns}
            for number, each in enumerate(task.layout.features)
        ],
        "warnings": [asdict(each) for each in (*info.warnings, *task.warnings)],
    }


def _inputs(layout: Layout) -> Iterator[Facts]:
    for number, item in enumerate((*layout.events, *layout.static)):
        yield {"input": number, "name": item.name, **_shape(item)}


def _shape(item: InputSchema) -> Facts:
    return {"role": item.role, "dtype": item.dtype, "width": item.width, "shape": item.shape}


def input_arrays(task: Task) -> Mapping[str, NDArray[Any]]:
    """Returns X and B by the number of the input, and the padding around the events."""
    own, base, padding = task.prepared.cells, task.background_cells(), task.prepared.padding
    groups = {
        "sequence": (*own.events, *own.static),
        "background": (*base.events, *base.static),
        "before": padding.before,
        "after": padding.after,
    }
    return {
        f"{group}_{number}": np.asarray(array)
        for group, arrays in groups.items()
        for number, array in enumerate(arrays)
    }


def score_facts(scored: ScoredTask) -> Facts:
    """Returns the targets that were chosen, with f(B) and f(X) raw and on the link's scale."""
    targets, scores = scored.task.targets, scored.scores
    base = scores.base.tolist() if scores.has_base else [None] * len(targets.names)
    raw_base = scores.raw[0].tolist() if scores.has_base else base
    rows = zip(
        targets.names,
        targets.columns,
        base,
        scores.linked[-1].tolist(),
        raw_base,
        scores.raw[-1].tolist(),
        strict=True,
    )
    keys = ("name", "output", "base", "score", "raw_base", "raw_score")
    return {
        "link": scored.evaluator.link,
        "targets": [
            {"target": number, **dict(zip(keys, row, strict=True))} for number, row in enumerate(rows)
        ],
    }


def answer_facts(explanation: Explanation) -> Facts:
    """Returns how the request was answered."""
    return {
        "status": "finished",
        "answered_as": explanation.name,
        "method_version": explanation.method_version,
        "explained": explanation.explained,
        "cut_short": explanation.cut_short,
        "options": asdict(explanation.options),
        "pruning_verdicts": explanation.pruning.verdicts if explanation.pruning else (),
        "warnings": [asdict(each) for each in explanation.warnings],
        "cost": asdict(explanation.cost),
    }


def error_facts(error: BaseException) -> Facts:
    """Returns the error that ended the request."""
    reason = error.reason if isinstance(error, SequelaError) else ""
    return {
        "status": "failed",
        "error": {"type": type(error).__name__, "reason": reason, "message": str(error)},
    }


def meaning(player: Player, features: tuple[str, ...]) -> str:
    """Returns which cells a player owns, in words. `features` are the names of the features."""
    feature = "" if player.feature is None else features[player.feature]
    return MEANINGS[player.kind].format(feature=feature, first=player.first_event, last=player.last_event)
