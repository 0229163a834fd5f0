"""Loaded models by digest: the least recently used give way; one that many ask for at once is loaded once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cachetools import LRUCache

from sequela.adapters.onnx.model import OnnxModel
from sequela.concurrency.deadline import Deadline
from sequela.concurrency.single_flight import SingleFlight
from sequela.explain.ports import Observer
from sequela.explain.telemetry import CacheAsked

MOST_MODELS = 64
MOST_BYTES = 1 << 30


class ModelCache:
    """At most `models` sessions of files of at most `bytes` together."""

    def __init__(self, observer: Observer, models: int = MOST_MODELS, most_bytes: int = MOST_BYTES) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        self._flight = SingleFlight()
        # A small file counts for its share of the places, so that one limit keeps both.
        self._place = -(-most_bytes // models)
        self._models: LRUCache[str, OnnxModel] = LRUCache(most_bytes, getsizeof=self._weight)

    def peek(self, digest: str) -> OnnxModel | None:
        """The model, if it is loaded."""
        with self._lock:
            return self._models.get(digest)

    def get(self, digest: str, load: Callable[[], OnnxModel]) -> OnnxModel:
        """The model, loaded where it is not; raises what `load` raises, and remembers no failure."""
        start = time.monotonic()
        found = self.peek(digest)
        model = found or self._load(digest, load)
        result = "hit" if found else "miss"
        self._observer.notice(CacheAsked("model", result, time.monotonic() - start))
        return model

    def drop(self, digest: str) -> None:
        """Forgets the model; those who run it keep it until they are done."""
        with self._lock:
            self._models.pop(digest, None)

    def _load(self, digest: str, load: Callable[[], OnnxModel]) -> OnnxModel:
        with self._flight.lead(digest, Deadline()):
            model = self.peek(digest) or load()
            self._keep(model)
            return model

    def _keep(self, model: OnnxModel) -> None:
        with self._lock:
            if self._weight(model) <= self._models.maxsize:
                self._models[model.info.digest] = model

    def _weight(self, model: OnnxModel) -> int:
        return max(model.size, self._place)
