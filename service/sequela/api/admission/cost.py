"""Estimates how long one core needs for a request, from its shape alone.

The estimates only have to be proportional to the real cost: `CostAverages` multiplies them by a measured factor for
each model. They know nothing of how explanations are computed, so that a faster method needs no change here.
"""

from __future__ import annotations

import math
from functools import lru_cache

from sequela.api.admission.request_shape import ExplainShape, RequestShape, ScoreShape

BASE_SECONDS = 0.003
"""Time to decode, resolve, store and encode a request."""
CELL_SECONDS = 1e-8
"""Time for one value of one row. The moving average of a model corrects it."""
MIN_ROW_SECONDS = 2e-6
SOLVE_SECONDS = 1e-9
"""Time to solve, for each pair of players and each coalition."""
FLOOR_ROWS = 2
"""f(X) and f(B), which every answer needs."""
USUAL_PLAYERS = 24
"""The usual number of unpruned events. Older ones are usually pruned."""
MAX_ENUMERATED_PLAYERS = 12
USUAL_COALITIONS = 2_048
"""The coalitions that a sampled level usually evaluates at the default target."""
MIN_COALITIONS = 1_024
"""Sampling does not stop before this many coalitions."""
MAX_COALITIONS = 32_768
USUAL_TARGET_ERROR = 0.005
KEPT_ESTIMATES = 4_096
"""How many estimates are kept. Each is needed several times, and many requests have the same size."""


@lru_cache(maxsize=KEPT_ESTIMATES)
def estimated_seconds(shape: RequestShape, error_factor: float = 1.0) -> float:
    """Returns about how long the request takes, in seconds of one core.

    Args:
        shape: The shape of the request.
        error_factor: By how much the default target of the standard errors is multiplied.
    """
    match shape:
        case ScoreShape(values):
            return BASE_SECONDS + values * CELL_SECONDS
        case ExplainShape():
            levels = sum(_level_seconds(shape, players, error_factor) for players in _players(shape))
            scan = (FLOOR_ROWS + min(shape.events, MAX_COALITIONS)) * _row_seconds(shape)
            return BASE_SECONDS + levels + scan


def scoring_seconds(shape: RequestShape) -> float:
    """Returns about how long the model takes for the scores, without which there is no answer."""
    match shape:
        case ScoreShape(values):
            return values * CELL_SECONDS
        case ExplainShape():
            return FLOOR_ROWS * _row_seconds(shape)


def _players(shape: ExplainShape) -> tuple[int, ...]:
    """Returns about how many players each level has: events, features, and cells."""
    events = min(shape.events, USUAL_PLAYERS) + 1
    features = min(shape.columns, USUAL_PLAYERS) + 1
    return (events, features, MAX_ENUMERATED_PLAYERS)[: shape.levels]


def _level_seconds(shape: ExplainShape, players: int, error_factor: float) -> float:
    coalitions = _coalitions(shape, players, error_factor)
    return coalitions * (_row_seconds(shape) + SOLVE_SECONDS * players**2)


def _coalitions(shape: ExplainShape, players: int, error_factor: float) -> float:
    most = float(shape.max_coalitions or MAX_COALITIONS)
    if players <= MAX_ENUMERATED_PLAYERS:
        return min(2.0**players, most)
    if shape.target_error is None:
        ratio = 1 / error_factor
    else:
        # Nobody has checked it yet, so it may be anything.
        ratio = USUAL_TARGET_ERROR / shape.target_error if shape.target_error > 0 else math.inf
    return min(max(USUAL_COALITIONS * ratio * ratio, MIN_COALITIONS), most)


def _row_seconds(shape: ExplainShape) -> float:
    return max(shape.events * shape.columns * CELL_SECONDS, MIN_ROW_SECONDS)
