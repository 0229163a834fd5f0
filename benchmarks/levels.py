"""Gives players the same names for all explainers: `event -3`, `feature 7`, `cell -3 7`, `pruned`.

Features are numbered by column. In a cell level, `rest` means all other events or features.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sequela_client import Attribution, Explanation, PlayerKind

from benchmarks.growth import Attributions
from benchmarks.peers.jobs import GameResult, TimeShapResult

Floats = npt.NDArray[np.float64]
Levels = dict[str, Attributions]
"""Attributions by player, by level: event, feature, cell."""

PRUNED = "pruned"
_EVENT = re.compile(r"Event (-\d+)")  # in timeshap, -1 is our t = 0


def ours(explanation: Explanation) -> Levels:
    """Returns the levels of an explanation of Sequela."""
    columns = {feature.name: column for column, feature in enumerate(explanation.feature_info)}
    return {
        name: {_named(item, columns): item.value for item in level.attributions}
        for name, level in explanation.levels.items()
    }


def timeshaps(result: TimeShapResult, run: int) -> Levels:
    """Returns the levels of a run of timeshap."""
    events, features = result.events[run], result.features[run]
    found: dict[str, dict[str, float]] = {
        "event": {f"event {-t}": float(value) for t, value in enumerate(events)},
        "feature": {f"feature {column}": float(value) for column, value in enumerate(features)},
    }
    if result.cells.size:
        names = map(_cell, result.cells_names[run])
        found["cell"] = dict(zip(names, map(float, result.cells[run]), strict=True))
    if result.pruned_events:
        blocks = (result.events_pruned, result.features_pruned, result.cells_pruned)
        for level, block in zip(found.values(), blocks, strict=False):
            level[PRUNED] = float(block[run])
    return dict(found)


def players(length: int, width: int, pruned: int, level: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Returns the names of the players at the event or feature level, and the owner of each cell, (l, d).

    The pruned events are the last player.
    """
    recent = length - pruned
    if level == "event":
        names = [f"event {t}" for t in range(1 - recent, 1)]
        owners = np.arange(recent)[:, np.newaxis]
    else:
        names = [f"feature {column}" for column in range(width)]
        owners = np.arange(width)
    table = np.full((length, width), len(names), dtype=np.int64)
    table[pruned:] = owners
    return names + [PRUNED] * bool(pruned), table


def of_game(names: Sequence[str], result: GameResult) -> Attributions:
    """Returns the attributions of the first run."""
    return dict(zip(names, map(float, result.attributions[0, 0]), strict=True))


def _named(item: Attribution, columns: dict[str, int]) -> str:
    event = "rest" if item.t is None else str(item.t)
    feature = "rest" if item.feature is None else str(columns[item.feature])
    match item.kind:
        case PlayerKind.EVENT:
            return f"event {event}"
        case PlayerKind.FEATURE:
            return f"feature {feature}"
        case PlayerKind.CELL | PlayerKind.EVENT_REST | PlayerKind.FEATURE_REST | PlayerKind.OTHER:
            return f"cell {event} {feature}"
        case _:
            return item.kind.value


def _cell(name: str) -> str:
    event, feature = name.split("|")
    found = _EVENT.fullmatch(event)
    place = str(int(found[1]) + 1) if found else "rest"
    return f"cell {place} {feature if feature.isdigit() else 'rest'}"
