"""h_X(z): builds the sequences that coalitions stand for (TimeSHAP Eq. 6, 7 and 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.cells import Cells, Columns
from sequela.timeshap.players import Players


@dataclass(frozen=True, slots=True, eq=False)
class Masker:
    """Switches cells between a sequence X and a background B of the same shapes."""

    sequence: Cells
    background: Cells
    columns: Columns

    def apply(self, players: Players, coalitions: NDArray[np.bool_]) -> Cells:
        """The batch of sequences for coalitions z, (n, players); True takes a player's cells from X, False
        from B.
        """
        events = tuple(
            _switch(coalitions, players.grid[:, columns], x, b)
            for columns, x, b in zip(
                self.columns.events, self.sequence.events, self.background.events, strict=True
            )
        )
        static = tuple(
            np.where(coalitions[:, [owner]], x, b)
            for owner, x, b in zip(players.static, self.sequence.static, self.background.static, strict=True)
        )
        return Cells(events, static)


def _switch(
    coalitions: NDArray[np.bool_], owners: NDArray[np.intp], x: NDArray[Any], b: NDArray[Any]
) -> NDArray[Any]:
    """(n, l, d): x where the owner (l, d) is in the coalition (n, players), else b."""
    present = coalitions[:, owners.ravel()].reshape(len(coalitions), *owners.shape)
    return np.where(present, x, b)
