"""The events of other alerts of a model, which the values of one alert are compared with."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sequela_client.feature_values.standings import Population, Reference
from sequela_client.resources import Model

from sequela_console.state.database import StateDatabase

KEPT_SECONDS = 30.0
"""How long the values of a model's alerts are used before they are read again."""
MAX_MODELS = 8
"""How many models' values are kept in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _AlertValues:
    id: str
    caller_id: str
    cells: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """The values of a model's alerts: by alert, and together by feature."""

    alerts: tuple[_AlertValues, ...]
    populations: dict[str, Population]
    end: float

    @property
    def events(self) -> int:
        return sum(len(each.cells) for each in self.alerts)


class ReferenceValues:
    """Reads the values of events out of the index.

    Args:
        state: the database with the index.
    """

    def __init__(self, state: StateDatabase) -> None:
        self._state = state
        self._known: dict[str, _Values] = {}
        self._lock = threading.Lock()

    def reference(self, model: Model, alert: str, caller_id: str, cells: NDArray[np.float32]) -> Reference:
        """Returns the events of the latest alerts of a model, without those of the same case.

        Args:
            model: the model.
            alert: the id of the alert that is compared, which is left out.
            caller_id: its caller id; other alerts with the same are left out, unless it is empty.
            cells: its latest events; other alerts with the same are left out.
        """
        names = [each.name for each in model.features if not each.static]
        with self._lock:
            values = self._known.get(model.digest)
        if values is None or values.end < time.monotonic():
            values = self._read(model.digest, names)
            self._remember(model.digest, values)
        content = cells.tobytes()
        own = [
            each.cells
            for each in values.alerts
            if each.id == alert
            or (caller_id and each.caller_id == caller_id)
            or (each.cells.shape == cells.shape and each.cells.tobytes() == content)
        ]
        left_out = np.concatenate([*own, np.empty((0, len(names)), np.float32)])
        without = {name: Population.of(left_out[:, place]) for place, name in enumerate(names)}
        return Reference(values.populations, without, values.events - len(left_out))

    def _read(self, digest: str, names: list[str]) -> _Values:
        rows = self._state.read.execute(
            "SELECT alert, caller_id, cells FROM reference_values JOIN alert ON alert.id = reference_values.alert "
            "WHERE reference_values.model_digest = ?",
            (digest,),
        )
        alerts = tuple(
            _AlertValues(
                row["alert"],
                row["caller_id"],
                np.frombuffer(row["cells"], np.float32).reshape(-1, len(names)),
            )
            for row in rows
        )
        together = np.concatenate([*(each.cells for each in alerts), np.empty((0, len(names)), np.float32)])
        populations = {name: Population.of(together[:, place]) for place, name in enumerate(names)}
        return _Values(alerts, populations, time.monotonic() + KEPT_SECONDS)

    def _remember(self, digest: str, values: _Values) -> None:
        with self._lock:
            self._known.pop(digest, None)
            self._known[digest] = values
            while len(self._known) > MAX_MODELS:
                self._known.pop(next(iter(self._known)))
