"""Turns the outcome of a game into the explanation of a level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.explain.explanation import Attribution, LevelExplanation, LevelQuality, PerTarget
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.layout import Layout
from sequela.timeshap.players import Player


@dataclass(frozen=True, slots=True, eq=False)
class SelectionNotes:
    """How certain the selection is on which a level is based.

    Attributes:
        is_uncertain: Returns whether a player was selected by a margin of less than two standard errors.
        near_misses: The players that narrowly missed the selection, each as the game it played in and its row there.
        truncated: Whether the selection was cut to limit the number of players.
    """

    is_uncertain: Callable[[Player], bool] = lambda _: False
    near_misses: tuple[tuple[GameOutcome, int], ...] = ()
    truncated: bool = False


NO_SELECTION = SelectionNotes()


def level_explanation(
    layout: Layout, outcome: GameOutcome, gain: NDArray[np.float64], notes: SelectionNotes = NO_SELECTION
) -> LevelExplanation:
    """Returns the explanation of a level, which has no attributions if the level was not computed.

    Args:
        layout: The model's features.
        outcome: The outcome of the level's game.
        gain: f(X) - f(B) on the link's scale, (targets,).
        notes: Notes on the selection, for levels that are based on players selected from other levels.
    """
    rows = range(len(outcome.players) if outcome.solution else 0)
    attributions = _attributions(layout, outcome, rows, notes.is_uncertain)
    return LevelExplanation(attributions, level_quality(outcome, gain, layout, notes))


def level_quality(
    outcome: GameOutcome, gain: NDArray[np.float64], layout: Layout, notes: SelectionNotes = NO_SELECTION
) -> LevelQuality:
    """Returns the accuracy and cost of a level. The arguments are those of `level_explanation`."""
    solution = outcome.solution
    # The residual shows rounding only, since solutions are centred to add up. A larger value indicates a bug.
    residual = 0.0 if solution is None else float(np.abs(solution.values.sum(axis=0) - gain).max())
    return LevelQuality(
        stop_reason=outcome.reason,
        players=len(outcome.players) - len(outcome.null),
        coalitions=outcome.coalitions,
        largest_standard_error=0.0 if solution is None else float(solution.largest_error.max()),
        additivity_residual=residual,
        detail=outcome.detail,
        clipped_coalitions=outcome.clipped,
        selection_truncated=notes.truncated,
        near_misses=tuple(
            each
            for source, row in notes.near_misses
            for each in _attributions(layout, source, (row,), lambda _: True)
        ),
        # The contract has times to the nanosecond, so that an answer from the store is equal to the first one.
        seconds=round(outcome.seconds, 9),
        estimator=outcome.estimator,
        null_players=len(outcome.null),
    )


def per_target(values: NDArray[np.float64]) -> PerTarget:
    """Converts values (targets,) to Python floats."""
    return tuple(values.tolist())


def _attributions(
    layout: Layout, outcome: GameOutcome, rows: Sequence[int], is_uncertain: Callable[[Player], bool]
) -> tuple[Attribution, ...]:
    """Returns the attributions of the players in these rows."""
    if outcome.solution is None:
        return ()
    picked = list(rows)
    values, errors = outcome.solution.values[picked].tolist(), outcome.solution.errors[picked].tolist()
    players = [outcome.players.names[row] for row in picked]
    return tuple(
        Attribution(
            kind=player.kind,
            values=tuple(value),
            standard_errors=tuple(error),
            first_event=player.first_event,
            last_event=player.last_event,
            feature=None if player.feature is None else layout.features[player.feature].name,
            selection_uncertain=is_uncertain(player),
        )
        for player, value, error in zip(players, values, errors, strict=True)
    )
