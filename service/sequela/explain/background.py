"""A background B: the values that stand for "nothing known", for sequences of any length (TimeSHAP Eq. 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Values by the name of the input, in the element types of the model.

    Attributes:
        rows: An array (k, d) for each event input, whose last row stands for t = 0. An average event has k = 1.
        mean_event: An array (d,) for each event input. It stands for events older than the first row.
        static: An array (s,) for each static input.
        columns: The names of the columns of each input for which the values were made, if the model's schema names
            them. They are not part of the digest, because they change no number.
    """

    rows: Mapping[str, NDArray[Any]]
    mean_event: Mapping[str, NDArray[Any]]
    static: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _digest: list[str] = field(default_factory=list, init=False, repr=False)  # empty until it is asked for

    @property
    def length(self) -> int:
        """The number of rows k."""
        return len(next(iter(self.rows.values())))

    @property
    def digest(self) -> str:
        """SHA-256 over names, types, shapes and values, as 64 hexadecimal digits. It is computed once."""
        if not self._digest:
            self._digest.append(self._compute_digest())
        return self._digest[0]

    def cells(self, length: int, events: Sequence[str], static: Sequence[str]) -> Cells:
        """Returns the background of a sequence of `length` events.

        It has the last rows, and the mean event for all older events.

        Args:
            length: The number of events.
            events: The names of the event inputs, in the order of the model's layout.
            static: The names of the static inputs, also in the order of the layout.
        """
        return Cells(
            tuple(self._input(name, length) for name in events), tuple(self.static[name] for name in static)
        )

    def _compute_digest(self) -> str:
        digest = hashlib.sha256()
        for kind, arrays in (("rows", self.rows), ("mean", self.mean_event), ("static", self.static)):
            for name in sorted(arrays):
                array = np.ascontiguousarray(arrays[name])
                # The same bytes can stand for other values, so types and shapes are part of the digest.
                digest.update(repr((kind, name, array.dtype.str, array.shape)).encode())
                digest.update(array.tobytes())
        return digest.hexdigest()

    def _input(self, name: str, length: int) -> NDArray[Any]:
        rows, mean = self.rows[name], self.mean_event[name]
        # Rows are counted from the last event, so a longer sequence is filled up at its old end.
        older = np.broadcast_to(mean, (max(length - len(rows), 0), len(mean)))
        return np.concatenate([older, rows[max(len(rows) - length, 0) :]])


@dataclass(frozen=True, slots=True, eq=False)
class StoredBackground:
    """A background that has a name.

    Attributes:
        name: `models/m/backgrounds/b`.
        background: The values.
        create_time: When it was stored.
        sequences: The number of sequences it was averaged from; 0 if its values were sent directly.
        averaged_events: The total number of events in these sequences.
    """

    name: str
    background: Background
    create_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    sequences: int = 0
    averaged_events: int = 0
