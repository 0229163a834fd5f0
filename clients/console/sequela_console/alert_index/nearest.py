"""Finds explanations whose effects are alike."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela_console.alert_index.effects import Vector
from sequela_console.state.database import StateDatabase

KEPT_SECONDS = 10.0
"""How long the vectors of a space are used before they are read again."""
MAX_SPACES = 8
"""How many spaces are kept in memory: 100,000 alerts with 20 numbers each take 8 MB."""


@dataclass(frozen=True, slots=True)
class Near:
    """An explanation that is like another.

    Args:
        id: its id.
        distance: the Euclidean distance of the vectors.
        vector: its effects.
    """

    id: str
    distance: float
    vector: Vector


@dataclass(frozen=True, slots=True)
class OwnAlert:
    """The explanation that others are compared with.

    Args:
        id: its id.
        caller_id: its caller id; empty if it has none.
        content: the digest of its content.
    """

    id: str
    caller_id: str
    content: str


@dataclass(frozen=True, slots=True, eq=False)
class _Space:
    ids: tuple[str, ...]
    callers: NDArray[np.str_]
    contents: NDArray[np.str_]
    vectors: NDArray[np.float32]
    end: float


class NearestEffects:
    """Compares explanations by the effects of their features.

    Args:
        state: the database with the index.
    """

    def __init__(self, state: StateDatabase) -> None:
        self._state = state
        self._known: dict[str, _Space] = {}
        self._lock = threading.Lock()

    def nearest(self, space: str, vector: Vector, own: OwnAlert, limit: int) -> list[Near]:
        """Returns the explanations whose effects are nearest, the nearest first.

        Args:
            space: what the numbers are of; only explanations of the same space are compared.
            vector: the effects.
            own: the explanation itself; it and others of the same case or sequence are left out.
            limit: how many are returned at most.
        """
        known = self._space(space, len(vector))
        if not known.ids:
            return []
        distances = np.linalg.norm(known.vectors.astype(np.float64) - vector, axis=1)
        others = (known.contents != own.content) & (np.array(known.ids) != own.id)
        if own.caller_id:
            others &= known.callers != own.caller_id
        # Equal distances are sorted by id, so that the answer is always the same.
        order = np.lexsort((known.ids, distances))
        chosen = [place for place in order.tolist() if others[place]][:limit]
        return [Near(known.ids[i], float(distances[i]), known.vectors[i]) for i in chosen]

    def _space(self, space: str, width: int) -> _Space:
        with self._lock:
            known = self._known.get(space)
        if known is None or known.end < time.monotonic():
            known = self._read(space, width)
            with self._lock:
                self._known.pop(space, None)
                self._known[space] = known
                while len(self._known) > MAX_SPACES:
                    self._known.pop(next(iter(self._known)))
        return known

    def _read(self, space: str, width: int) -> _Space:
        query = (
            "SELECT alert, caller_id, content, vector FROM alert_effect JOIN alert ON alert.id = alert_effect.alert "
            "WHERE space = ? ORDER BY alert"
        )
        rows = self._state.read.execute(query, (space,)).fetchall()
        vectors = np.frombuffer(b"".join(row["vector"] for row in rows), np.float32).reshape(-1, width)
        return _Space(
            tuple(row["alert"] for row in rows),
            np.array([row["caller_id"] for row in rows], dtype=np.str_),
            np.array([row["content"] for row in rows], dtype=np.str_),
            vectors,
            time.monotonic() + KEPT_SECONDS,
        )
