"""Selects which attributions are the reasons for a score, and their order.

Reg B of the US Equal Credit Opportunity Act says that more than four reasons are not likely to be helpful.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sequela.explain.explanation import Attribution, Explanation, TargetScore
from sequela.explain.options import Level
from sequela.explain.result.answer_warnings import SCORE_ROUNDING
from sequela.timeshap.players import PlayerKind

MAX_REASONS = 4
"""The most reasons for one target."""
INTERVAL = 1.96
"""A 95 % interval is an attribution ± this many standard errors."""
MIN_SHARE = 0.01
"""The smallest share of |f(X) - f(B)| that makes an attribution a reason, however exactly it is known."""


@dataclass(frozen=True, slots=True)
class Selected:
    """An attribution to one target that was selected as a reason.

    Attributes:
        attribution: The attribution.
        value: Its φ.
        standard_error: The standard error of φ.
        tied: Whether it is not clearly weaker than the one before it.
    """

    attribution: Attribution
    value: float
    standard_error: float
    tied: bool = False


def candidates(explanation: Explanation) -> tuple[Attribution, ...]:
    """Returns the attributions that may be reasons: cells; features if there are no cells; events if there is no
    feature level.

    Static features have no cells, so they are added to the cells. Groups such as the pruned events are not candidates.
    """
    features = _of(explanation, Level.FEATURE, PlayerKind.FEATURE)
    cells = _of(explanation, Level.CELL, PlayerKind.CELL)
    if cells:
        static = {feature.name for feature in explanation.features if feature.static}
        return (*cells, *(each for each in features if each.feature in static))
    return features or _of(explanation, Level.EVENT, PlayerKind.EVENT)


def select(attributions: Sequence[Attribution], target: TargetScore, index: int) -> tuple[Selected, ...]:
    """Selects at most four reasons for a target: first those in the direction of f(X) - f(B), then those against it.

    Args:
        attributions: The candidates.
        target: The scores of the target.
        index: The position of the target in the attributions.
    """
    base = target.score if target.base_value is None else target.base_value
    gain = target.score - base
    least = max(MIN_SHARE * abs(gain), SCORE_ROUNDING * max(abs(base), abs(target.score)))
    found = [Selected(each, each.values[index], each.standard_errors[index]) for each in attributions]
    main = -1.0 if gain < 0 else 1.0
    chosen = sorted((each for each in found if _counts(each, least)), key=lambda each: _order(each, main))
    return _with_ties(chosen[:MAX_REASONS])


def _of(explanation: Explanation, level: Level, kind: PlayerKind) -> tuple[Attribution, ...]:
    found = explanation.levels.get(level)
    return tuple(each for each in found.attributions if each.kind is kind) if found else ()


def _counts(item: Selected, least: float) -> bool:
    """Returns whether the interval excludes 0 and the attribution is large enough; never if it is not finite."""
    return abs(item.value) > INTERVAL * item.standard_error and abs(item.value) > least


def _order(item: Selected, main: float) -> tuple[bool, float, int]:
    """Sorts by direction, then by strength, the latest event first among equals. Sorting is stable beyond that."""
    return (item.value * main < 0, -abs(item.value), -(item.attribution.last_event or 0))


def _with_ties(items: Sequence[Selected]) -> tuple[Selected, ...]:
    ties = [False, *(_tied(stronger, weaker) for stronger, weaker in pairwise(items))]
    return tuple(
        Selected(each.attribution, each.value, each.standard_error, tied)
        for each, tied in zip(items, ties, strict=False)
    )


def _tied(one: Selected, other: Selected) -> bool:
    """Returns whether the interval of the difference spans 0, for reasons of the same direction.

    The covariance of the two estimates is not known. Independent errors are assumed: the standard error of the
    difference is √(se1² + se2²).
    """
    error = math.hypot(one.standard_error, other.standard_error)
    return one.value * other.value > 0 and abs(one.value - other.value) <= INTERVAL * error
