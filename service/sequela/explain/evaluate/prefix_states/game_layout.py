"""What is needed to run the coalitions of one game, and depends only on the game's players."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.masking import Mask, Masker
from sequela.timeshap.players import Players
from sequela.timeshap.prefix_tree import PlayerOrder, player_order


@dataclass(eq=False)
class GameLayout:
    """Where the players of a game appear. A game is evaluated in several stages, so what is found is kept.

    Attributes:
        players: The players.
        masker: Holds X and B.
        stop: The number of events to run.
        static_enters: For each static input, whether it affects the states.
    """

    players: Players
    masker: Masker
    stop: int
    static_enters: tuple[bool, ...]
    _masks: dict[tuple[int, int], Mask] = field(default_factory=dict)
    _owners: dict[int, NDArray[np.intp]] = field(default_factory=dict)

    @cached_property
    def order(self) -> PlayerOrder:
        """The order in which the players appear."""
        return player_order(self.players, self.stop, self.static_enters)

    @cached_property
    def static_that_enters(self) -> NDArray[np.bool_]:
        """Which static inputs affect the states, (static inputs,)."""
        return np.array(self.static_enters, dtype=np.bool_)

    def mask(self, start: int, stop: int) -> Mask:
        """Returns the mask that builds the events start … stop - 1 of perturbations."""
        found = self._masks.get((start, stop))
        if found is None:
            found = self._masks[start, stop] = self.masker.over(self.players, start, stop)
        return found

    def owners_before(self, stop: int) -> NDArray[np.intp]:
        """Returns the players that own a cell of the events 0 … stop - 1."""
        found = self._owners.get(stop)
        if found is None:
            owning = np.zeros(len(self.players), dtype=np.bool_)
            owning[self.players.grid[:stop]] = True
            found = self._owners[stop] = owning.nonzero()[0]
        return found
