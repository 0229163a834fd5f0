"""The levels that a request can ask for.

To add a level, write a module next to this one with its `LevelDefinition` and add it to `BUILT_IN_LEVELS`. The
pipeline, the deadline shares, the answer and the store need no change. CONTRIBUTING.md says how to offer it to callers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sequela.errors import InvalidInput
from sequela.explain.levels.cell import CELL_LEVEL
from sequela.explain.levels.definition import LevelDefinition
from sequela.explain.levels.event import EVENT_LEVEL
from sequela.explain.levels.feature import FEATURE_LEVEL

LevelEnds: TypeAlias = Mapping[str, float]
"""When each level must have ended, in seconds on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class LevelRegistry:
    """The levels, in the order in which they are played.

    Raises:
        ValueError: Two levels have the same name, or a level requires one that does not come before it.
    """

    definitions: tuple[LevelDefinition, ...]

    def __post_init__(self) -> None:
        earlier: set[str] = set()
        for each in self.definitions:
            # Requirements stand before their level, so playing in this order is always possible.
            if each.name in earlier or not earlier.issuperset(each.requires):
                raise ValueError(
                    f"level {each.name!r} is registered twice, or requires a level that does not come before it"
                )
            earlier.add(each.name)

    def select(self, names: Iterable[str], path: str = "options.levels") -> tuple[LevelDefinition, ...]:
        """Returns the levels with these names and all levels that they require, in the order of play.

        Args:
            names: The names.
            path: Their path in the request, for errors.

        Raises:
            InvalidInput: One of the names is not the name of a level.
        """
        wanted = set(names)
        known = {each.name for each in self.definitions}
        if unknown := sorted(wanted - known):
            text = f"unknown level: {', '.join(unknown)}; the levels are {', '.join(sorted(known))}"
            raise InvalidInput.at(path, "LEVEL_UNKNOWN", text)
        # Levels come after those they require, so in reverse order each requirement is added before it is reached.
        for each in reversed(self.definitions):
            if each.name in wanted:
                wanted.update(each.requires)
        return tuple(each for each in self.definitions if each.name in wanted)

    def select_names(self, names: Iterable[str], path: str = "options.levels") -> tuple[str, ...]:
        """Returns the names of the levels that `select` returns. Arguments and errors are the same."""
        return tuple(each.name for each in self.select(names, path))


def level_ends(levels: Sequence[LevelDefinition], start: float, end: float) -> LevelEnds:
    """Divides the time from `start` to `end` between the levels, by their shares.

    Only the end of each level is fixed, so time that a level does not use is available to the next one.
    """
    if not np.isfinite(end):
        return {each.name: end for each in levels}
    total = sum(each.time_share for each in levels)
    used, ends = 0.0, {}
    for each in levels:
        used += each.time_share
        # The last level ends exactly with the deadline, whatever rounding does to the sum of shares.
        ends[each.name] = end if each is levels[-1] else start + (end - start) * used / total
    return ends


BUILT_IN_LEVELS = LevelRegistry((EVENT_LEVEL, FEATURE_LEVEL, CELL_LEVEL))
