"""A background B: the values that stand for "nothing known" (TimeSHAP Eq. 5), for sequences of any length."""

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
    """Values by input name, in the element types of the model's inputs.

    rows: (k, d) for every event input, the last row is t = 0; k = 1 is an average event. mean_event: (d,)
    for every event input, used before the first row. static: (s,) for every static input.
    """

    rows: Mapping[str, NDArray[Any]]
    mean_event: Mapping[str, NDArray[Any]]
    static: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Rows k of the matrix."""
        return len(next(iter(self.rows.values())))

    @property
    def digest(self) -> str:
        """SHA-256 over names, types, shapes and values, as 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for kind, arrays in (("rows", self.rows), ("mean", self.mean_event), ("static", self.static)):
            for name in sorted(arrays):
                array = np.ascontiguousarray(arrays[name])
                digest.update(repr((kind, name, array.dtype.str, array.shape)).encode())
                digest.update(array.tobytes())
        return digest.hexdigest()

    def cells(self, length: int, events: Sequence[str], static: Sequence[str]) -> Cells:
        """The background of a sequence of `length` events: the last rows; older events are the mean event.

        events, static: the inputs' names in the order that the model's layout gives them.
        """
        return Cells(
            tuple(self._input(name, length) for name in events), tuple(self.static[name] for name in static)
        )

    def _input(self, name: str, length: int) -> NDArray[Any]:
        rows, mean = self.rows[name], self.mean_event[name]
        older = np.broadcast_to(mean, (max(length - len(rows), 0), len(mean)))
        return np.concatenate([older, rows[max(len(rows) - length, 0) :]])


@dataclass(frozen=True, slots=True, eq=False)
class StoredBackground:
    """A background under its name `models/m/backgrounds/b`, with what it was averaged from (0 when given)."""

    name: str
    background: Background
    create_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    sequences: int = 0
    averaged_events: int = 0
