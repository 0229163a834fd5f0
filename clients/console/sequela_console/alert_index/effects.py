"""The effects of an explanation as vectors, so that explanations can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sequela_client.attributions import PlayerKind, StopReason
from sequela_client.explanation import Explanation

from sequela_console.state.alerts import AlertEffect

Vector = NDArray[np.float32]


def effects(explanation: Explanation) -> tuple[AlertEffect, ...]:
    """Returns a vector for each target; none if the effects of features were not computed."""
    return tuple(_effects(explanation))


def effect_features(explanation: Explanation) -> tuple[str, ...]:
    """Returns the features in the order of the vectors, which end with the effect of the older events."""
    level = explanation.feature_level
    return tuple(str(each.feature) for each in level.of(PlayerKind.FEATURE)) if level else ()


def effect_vector(explanation: Explanation, target: int) -> Vector | None:
    """Returns the effects of the features on a target, then that of the older events; None without them."""
    level = explanation.feature_level
    if level is None or level.quality.stop_reason is StopReason.NOT_COMPUTED or not level.attributions:
        return None
    numbers = [each.values[target] for each in level.of(PlayerKind.FEATURE)]
    older = sum(each.values[target] for each in level.of(PlayerKind.PRUNED))
    return np.array([*numbers, older], np.float32)


def effect_space(explanation: Explanation, target: int) -> str:
    """Returns what the numbers are of, as a digest. Only vectors of the same space can be compared."""
    parts = [
        explanation.model_digest,
        explanation.background_digest,
        explanation.targets[target].name,
        explanation.options.link,
        explanation.options.feature_scope,
        explanation.options.output_event,
        effect_features(explanation),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def content_digest(explanation: Explanation) -> str:
    """Returns the same text for explanations of the same sequence, also of other seeds and other accuracies.

    The index has no sequences: the length, the scores and the latest event stand for one.
    """
    latest = [
        [sorted(each.values.items()), each.info.time.isoformat() if each.info.time else ""]
        for each in explanation.event_values
        if each.t == 0
    ]
    # Batches of other sizes may change the last digits of a score.
    scores = [[each.name, f"{each.raw_score:.6g}"] for each in explanation.targets]
    parts = [explanation.length, scores, latest]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _effects(explanation: Explanation) -> Iterator[AlertEffect]:
    for target in range(len(explanation.targets)):
        vector = effect_vector(explanation, target)
        if vector is not None:
            space = effect_space(explanation, target)
            yield AlertEffect(space, vector.tobytes(), content_digest(explanation))
