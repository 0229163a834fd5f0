"""Models that an engine should have but recently did not have."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from cachetools import TTLCache

MODEL_CHANGED = "MODEL_CHANGED"
"""The reason of the error if an engine does not have the model of a request."""
MAX_MODELS = 1_000
NOTE_SECONDS = 60.0
"""How long, in seconds, it is reported that an engine lacks a model. Requests that fail because of it note it again."""


class AbsentModels:
    """The digests of such models. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: TTLCache[str, bool] = TTLCache(MAX_MODELS, NOTE_SECONDS)

    def note(self, digests: Iterable[str]) -> None:
        """Notes that an engine does not have these models."""
        with self._lock:
            self._digests.update(dict.fromkeys(digests, True))

    def all(self) -> frozenset[str]:
        """Returns all that were noted in the last minute."""
        with self._lock:
            return frozenset(self._digests)
