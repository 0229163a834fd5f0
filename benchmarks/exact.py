"""Measures the exact event level of the reference GRU, beside the bare steps of its prefix tree.

Coalitions that agree on the oldest events share a state, so all 2^m coalitions need only 2^(m+1) - 2 steps of one
event.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bare import rate
from benchmarks.cases import gru
from benchmarks.effort import Effort
from benchmarks.ours import serving
from benchmarks.report import Finding, ms, table

PLAYERS = (15, 20)
LIMIT = 1 << 20  # coalitions


@dataclass(frozen=True, slots=True)
class Row:
    """The exact event level at one number of players.

    Args:
        seconds: the time of each repetition.
        bare_seconds: the time of the bare steps of the tree.
        events_run: how many events Sequela ran.
    """

    players: int
    stopped: str
    seconds: tuple[float, ...]
    bare_seconds: float
    events_run: int

    @property
    def median(self) -> float:
        """The median time in seconds."""
        return float(np.median(self.seconds))


def study(effort: Effort, folder: Path) -> Finding:
    """Measures every number of players that can be enumerated within the effort's reference."""
    rows = [measure(m, effort, folder) for m in PLAYERS if 1 << m <= effort.reference]
    shown = [
        [
            str(row.players),
            row.stopped,
            ms(row.median),
            f"{row.median / row.bare_seconds:.2f}",
            f"{row.events_run / tree_steps(row.players):.2f}",
        ]
        for row in rows
    ]
    title = "Exact event level of the reference GRU, beside the bare steps of the prefix tree"
    return Finding(
        "exact", rows, [table(title, ("players", "stopped", "ms", "÷ bare", "steps ÷ tree"), shown)]
    )


def measure(players: int, effort: Effort, folder: Path) -> Row:
    """Explains the latest `players` events without pruning, so that each is a player."""
    case = gru(folder, players)
    options = {"levels": ["event"], "pruning_tolerance": 0.0, "target_standard_error": 0.0}
    with serving("--max-coalitions", str(LIMIT)) as server:
        done = server.repeat(case, effort, max_coalitions=LIMIT, **options)
    explanation = done[-1].explanation
    assert explanation.event_level is not None
    return Row(
        players,
        explanation.event_level.quality.stop_reason,
        tuple(each.seconds for each in done),
        tree_steps(players) / rate(case, players, effort.bare_seconds),
        explanation.cost.model_events,
    )


def tree_steps(players: int) -> int:
    """Returns how many steps of one event the tree of all coalitions of m ≥ 1 players has."""
    return (1 << (players + 1)) - 2
