"""Answers whose default target of the standard errors was raised, because the server was overloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sequela.explain.explanation import Explanation, ExplanationWarning, StopReason
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.identity import unique_name
from sequela.explain.levels.definition import LevelResults
from sequela.explain.request import ExplainRequest


def with_target_noted(answer: Explanation, request: ExplainRequest, results: LevelResults) -> Explanation:
    """Says that the target was raised, if that made a difference.

    The answer then has a name of its own, because it must not be reused. If no level stopped sooner because of the
    target, it is the usual answer, and its options have the usual target.
    """
    factor = request.error_factor
    if factor == 1.0 or request.options.target_standard_error is not None:
        return answer
    usual = tuple(each / factor for each in answer.options.target_standard_error)
    games = (game for result in results.values() for game in result.games)
    if not any(_is_rougher(game, usual) for game in games):
        return replace(answer, options=replace(answer.options, target_standard_error=usual))
    text = (
        f"The server was overloaded, so sampling stopped at standard errors {factor:g} times as large as usual. They "
        "are correct, only larger. Send the request again later for smaller ones, or set target_standard_error."
    )
    warning = ExplanationWarning("ERROR_TARGET_RAISED", text)
    return replace(answer, name=unique_name(), warnings=(*answer.warnings, warning))


def _is_rougher(game: GameOutcome, usual: Sequence[float]) -> bool:
    """Returns whether a game stopped because of the target, and would not have stopped because of the usual one."""
    if game.reason is not StopReason.TARGET or game.solution is None:
        return False
    return bool((game.solution.largest_error > np.asarray(usual)).any())


def is_target_raised(answer: Explanation) -> bool:
    """Returns whether the standard errors are larger than usual, so that the answer must not be reused."""
    return any(warning.reason == "ERROR_TARGET_RAISED" for warning in answer.warnings)
