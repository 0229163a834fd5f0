"""The levels that can be asked for.

To add a level, write a module beside this one with its `LevelDefinition` and add it to `LEVELS`. Pipeline, deadline
shares, answer and store need no change. To offer it to callers, add it to `Level`, to the contract's `Level` enum with
a field `{name}_level`, and to the API's table of enums.
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
        ValueError: Two levels have the same name, or a level requires one that does not stand before it.
    """

    definitions: tuple[LevelDefinition, ...]

    def __post_init__(self) -> None:
        earlier: set[str] = set()
        for each in self.definitions:
            # Requirements stand before their level, so playing in this order is always possible.
            if each.name in earlier or not earlier.issuperset(each.requires):
                raise ValueError(f"level {each.name!r} is there twice, or requires a level that follows it")
            earlier.add(each.name)

    def needed(self, names: Iterable[str], path: str = "options.levels") -> tuple[LevelDefinition, ...]:
        """The levels of these names and all levels that they require, in the order in which they are played.

        Args:
            names: The names.
            path: Where they stand in the request.

        Raises:
            InvalidInput: There is no level of one of the names.
        """
        wanted = set(names)
        known = {each.name for each in self.definitions}
        if unknown := sorted(wanted - known):
            text = f"{', '.join(unknown)}: there is no such level; the levels are {', '.join(sorted(known))}"
            raise InvalidInput.at(path, "LEVEL_UNKNOWN", text)
        # A level stands after those it requires, so going backwards every requirement is seen in time.
        for each in reversed(self.definitions):
            if each.name in wanted:
                wanted.update(each.requires)
        return tuple(each for each in self.definitions if each.name in wanted)

    def with_required(self, names: Iterable[str], path: str = "options.levels") -> tuple[str, ...]:
        """The names of the levels that `needed` gives. Arguments and errors are the same."""
        return tuple(each.name for each in self.needed(names, path))


def level_ends(levels: Sequence[LevelDefinition], start: float, end: float) -> LevelEnds:
    """Divides the time from `start` to `end` between the levels, by their shares.

    What a level leaves passes on to the next, because only the end of each level is fixed.
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


LEVELS = LevelRegistry((EVENT_LEVEL, FEATURE_LEVEL, CELL_LEVEL))
