"""The events of other alerts of a model, which the values of one alert are compared with."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sequela_client.resources import Model

from sequela_console.feature_values.standings import Population, Reference
from sequela_console.state.database import StateDatabase

KEPT_SECONDS = 30.0
"""How long the values of a model's alerts are used before they are read again."""
MAX_MODELS = 8
"""How many models' values are kept in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """The values of a model's alerts: by alert, and together by feature."""

    cells: dict[str, NDArray[np.float32]]
    populations: dict[str, Population]
    end: float

    @property
    def events(self) -> int:
        return sum(map(len, self.cells.values()))


class ReferenceValues:
    """Reads the values of events out of the index.

    Args:
        state: the database with the index.
    """

    def __init__(self, state: StateDatabase) -> None:
        self._state = state
        self._known: dict[str, _Values] = {}
        self._lock = threading.Lock()

    def reference(self, model: Model, alert: str) -> Reference:
        """Returns the events of a model's alerts other than the given one."""
        names = [each.name for each in model.features if not each.static]
        with self._lock:
            values = self._known.get(model.digest)
        if values is None or values.end < time.monotonic():
            values = self._read(model.digest, names)
            self._remember(model.digest, values)
        own = values.cells.get(alert)
        without = {} if own is None else {name: Population.of(own[:, i]) for i, name in enumerate(names)}
        return Reference(values.populations, without, values.events - (0 if own is None else len(own)))

    def _read(self, digest: str, names: list[str]) -> _Values:
        rows = self._state.read.execute(
            "SELECT alert, cells FROM reference_values WHERE model_digest = ?", (digest,)
        )
        cells = {
            row["alert"]: np.frombuffer(row["cells"], np.float32).reshape(-1, len(names)) for row in rows
        }
        together = np.concatenate([*cells.values(), np.empty((0, len(names)), np.float32)])
        populations = {name: Population.of(together[:, place]) for place, name in enumerate(names)}
        return _Values(cells, populations, time.monotonic() + KEPT_SECONDS)

    def _remember(self, digest: str, values: _Values) -> None:
        with self._lock:
            self._known.pop(digest, None)
            self._known[digest] = values
            while len(self._known) > MAX_MODELS:
                self._known.pop(next(iter(self._known)))
