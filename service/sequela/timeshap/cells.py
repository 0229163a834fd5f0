"""The cells of a sequence: what coalitions switch between the sequence and the background.

A model can take several inputs, so the values of one sequence are several arrays; all of them share the
events axis, or have none. Logical features group their columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Values of one sequence, or of a batch of n of them.

    events: one array for each event input, (l, d_j), or (n, l, d_j) in a batch; oldest event first.
    static: one array for each static input, (s_j,), or (n, s_j) in a batch.
    """

    events: tuple[NDArray[Any], ...]
    static: tuple[NDArray[Any], ...] = ()

    @property
    def length(self) -> int:
        """Number of events l."""
        return int(self.events[0].shape[-2])

    def as_batch(self) -> Cells:
        """A batch of this one sequence."""
        return Cells(tuple(array[None] for array in self.events), tuple(array[None] for array in self.static))

    def between(self, before: Sequence[NDArray[Any]], after: Sequence[NDArray[Any]]) -> Cells:
        """A batch's events with the same rows (k, d_j) before and after those of every sequence; empty: none."""
        events = self.events
        for rows, at in ((before, 0), (after, 1)):
            if len(rows) and len(rows[0]):
                spread = [np.broadcast_to(each, (len(events[0]), *each.shape)) for each in rows]
                pairs = zip(events, spread, strict=True) if at else zip(spread, events, strict=True)
                events = tuple(np.concatenate(pair, axis=1) for pair in pairs)
        return Cells(events, self.static)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Which logical feature every column belongs to.

    events: for each event input the feature index of its columns, (d_j,). Event features come first: 0 …
    features - 1. Static input j as a whole is feature `features + j`.
    """

    events: tuple[NDArray[np.intp], ...]
    features: int
    static: int = 0
