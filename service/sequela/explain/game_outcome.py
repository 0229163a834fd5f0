"""The outcome of one game."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.explain.explanation import StopReason
from sequela.explain.options import Estimator
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution


@dataclass(frozen=True, slots=True, eq=False)
class GameOutcome:
    """The result of one game.

    Attributes:
        players: All players, including null players, whose attributions are 0.
        reason: Why sampling stopped.
        solution: Attributions and standard errors, (players, targets); None if the game was not computed.
        coalitions: The number of evaluated coalitions, including the empty and the full one.
        clipped: How many of these had values that the logit link clipped.
        detail: Why there is no solution, or why it is coarser than it could be.
        seconds: Wall time.
        out_of_time: Whether the deadline stopped the game, with or without a solution, or left too little time for
            the requested estimator.
        estimator: The estimator that solved the game; None if there was nothing to estimate.
        null: The null players, by their position in `players`.
    """

    players: Players
    reason: StopReason
    solution: Solution | None = None
    coalitions: int = 0
    clipped: int = 0
    detail: str = ""
    seconds: float = 0.0
    out_of_time: bool = False
    estimator: Estimator | None = None
    null: frozenset[int] = frozenset()
