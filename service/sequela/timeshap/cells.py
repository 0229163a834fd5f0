"""The cells of a sequence, each of which a coalition takes from the sequence or from the background.

A model can take several inputs, so one sequence has several arrays. Event inputs share the axis of events; static
inputs have no such axis. A logical feature is one or more columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The values of one sequence of l events, or of a batch of n such sequences.

    Attributes:
        events: An array for each event input, (l, d_j), or (n, l, d_j) in a batch. The oldest event comes first.
        static: An array for each static input, (s_j,), or (n, s_j) in a batch.
    """

    events: tuple[NDArray[Any], ...]
    static: tuple[NDArray[Any], ...] = ()

    @property
    def length(self) -> int:
        """The number of events l."""
        return int(self.events[0].shape[-2])

    def as_batch(self) -> Cells:
        """Returns a batch of this one sequence."""
        return Cells(tuple(array[None] for array in self.events), tuple(array[None] for array in self.static))

    def between(self, before: Sequence[NDArray[Any]], after: Sequence[NDArray[Any]]) -> Cells:
        """Returns the batch with the same rows added around the events of every sequence.

        Args:
            before: The rows (k, d_j) to add before the events, for each event input. If empty, nothing is added.
            after: The rows (k, d_j) to add after the events, in the same form.
        """
        events = self.events
        for rows, at in ((before, 0), (after, 1)):
            if len(rows) and len(rows[0]):
                # A view: padding is not copied for each sequence.
                spread = [np.broadcast_to(each, (len(events[0]), *each.shape)) for each in rows]
                pairs = zip(events, spread, strict=True) if at else zip(spread, events, strict=True)
                events = tuple(np.concatenate(pair, axis=1) for pair in pairs)
        return Cells(events, self.static)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The logical feature to which each column belongs.

    Attributes:
        events: For each event input, the feature indices of its columns, (d_j,).
        features: The number of event features. They have the indices 0 … features - 1.
        static: The number of static inputs. Each static input j is a single feature, with the index `features + j`.
    """

    events: tuple[NDArray[np.intp], ...]
    features: int
    static: int = 0
