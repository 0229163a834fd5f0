"""Estimates the memory of a level from its numbers of players, coalitions and targets, and refuses levels that are too
large.

A request of 65 kB may ask for 64 targets of 3,000 players, whose standard errors alone would take 8 GB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sequela.errors import InvalidInput
from sequela.timeshap.rank_solver import MAX_COALITIONS, MAX_FURTHER_BYTES, MAX_PLAYERS, further_bytes
from sequela.timeshap.sample_design import MAX_HELD_BYTES, block_bytes

FLOAT_BYTES = 8
DRAWN_PAIR_BYTES = 200
"""Size in bytes of one drawn pair, besides its players (see `pair_order.PairSampler`)."""


def question_bytes(players: int, coalitions: int, targets: int) -> int:
    """Returns about how many bytes the solution of one level takes.

    The larger parts are the pairs as bits, twice, the blocks of the design, the odd parts, twice, and the sums of
    influences (strata, players, targets), of which there are about m/2 strata, three times. Measured: 64 targets of 600
    players 0.9 times as much, 16 targets of 1,500 players as much. Samples with further pairs take less: 64 targets of
    30 players and 2^16 coalitions take 0.7 times as much.
    """
    pairs = coalitions // 2
    held = min(block_bytes(players, pairs), MAX_HELD_BYTES)
    drawn = pairs * (2 * players // 8 + DRAWN_PAIR_BYTES)
    odd_parts = 2 * pairs * targets * FLOAT_BYTES
    influences = 3 * (players // 2) * players * targets * FLOAT_BYTES
    return drawn + held + odd_parts + influences + _process_bytes(players, pairs, targets)


def _process_bytes(players: int, pairs: int, targets: int) -> int:
    """Returns about how many bytes the processes take: their games side by side, matrices that are built, and
    what further pairs add if the sample is larger than the processes. Sparse fits take less, after the processes.
    """
    if players > MAX_PLAYERS:
        return 0
    used = min(pairs, MAX_COALITIONS // 2)
    games = 7 * used * targets * FLOAT_BYTES
    influences = 6 * (players // 2) * players * targets * FLOAT_BYTES
    further = min(further_bytes(players, pairs, targets), MAX_FURTHER_BYTES) if pairs > used else 0
    return games + influences + 4 * used**2 * FLOAT_BYTES + further


@dataclass(frozen=True, slots=True)
class QuestionBudget:
    """How much memory one level of a request may take.

    Attributes:
        max_bytes: The limit.
        path: The field of the request that the error is reported for.
    """

    max_bytes: float = math.inf
    path: str = "options.targets"

    def check(self, players: int, coalitions: int, targets: int) -> None:
        """Raises InvalidInput (QUESTION_TOO_LARGE) if a level with these numbers takes more than the limit."""
        needed = question_bytes(players, coalitions, targets)
        if needed <= self.max_bytes:
            return
        text = (
            f"{targets} targets of {players} players with up to {coalitions} coalitions take about {needed} bytes, but "
            f"the limit is {self.max_bytes} (--max-question-bytes); request fewer targets or coalitions, or reduce the "
            "number of players with a larger pruning_tolerance or a shorter sequence"
        )
        raise InvalidInput.at(self.path, "QUESTION_TOO_LARGE", text)


NO_BUDGET = QuestionBudget()
"""No limit, for games that no request asked for."""
