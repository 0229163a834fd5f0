"""A cache of loaded models by digest. A model that several requests need at the same time is loaded once."""

from __future__ import annotations

import threading
import time

from cachetools import LRUCache

from sequela.adapters.repository.loaded_model import LoadedModel
from sequela.adapters.repository.model_loads import Load, ModelLoads
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import OutOfTime
from sequela.explain.ports import Observer
from sequela.explain.telemetry import CacheLookup

MAX_MODELS = 64
MAX_BYTES = 1 << 30


class ModelCache:
    """Keeps the most recently used models.

    Args:
        observer: Receives a record of every look-up.
        max_models: The largest number of models to keep.
        max_bytes: The largest total size of their files. A single file larger than that is loaded but not kept.
    """

    def __init__(self, observer: Observer, max_models: int = MAX_MODELS, max_bytes: int = MAX_BYTES) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        self._loads = ModelLoads()
        # A small file is counted as max_bytes / max_models, so that the cache's one limit enforces both.
        self._min_weight = -(-max_bytes // max_models)
        self._models: LRUCache[str, LoadedModel] = LRUCache(max_bytes, getsizeof=self._weight)

    def peek(self, digest: str) -> LoadedModel | None:
        """Returns the model if it is loaded, or None."""
        with self._lock:
            return self._models.get(digest)

    def get(self, digest: str, load: Load, deadline: Deadline) -> LoadedModel:
        """Returns the model, and loads it if necessary.

        Raises what `load` raises, OutOfTime (MODEL_LOAD_TOO_SLOW) and Cancelled; failures are not cached.
        """
        start = time.monotonic()
        found = self.peek(digest)
        model = found or self._load(digest, load, deadline)
        result = "hit" if found else "miss"
        self._observer.notice(CacheLookup("model", result, time.monotonic() - start))
        return model

    def drop(self, digest: str) -> None:
        """Removes the model. Requests that are running it are not affected."""
        with self._lock:
            model = self._models.pop(digest, None)
        if model:
            model.unload()

    def _load(self, digest: str, load: Load, deadline: Deadline) -> LoadedModel:
        def load_and_keep(until: Deadline) -> LoadedModel:
            # Another request may have loaded the model while this one waited.
            model = self.peek(digest) or load(until)
            self._keep(model)
            return model

        start = time.monotonic()
        try:
            return self._loads.get(digest, load_and_keep, deadline)
        except DeadlinePassed:
            text = (
                f"the deadline passed {time.monotonic() - start:.1f} s after the model began to be loaded; allow more "
                "time, or upload the model first"
            )
            raise OutOfTime("MODEL_LOAD_TOO_SLOW", text) from None

    def _keep(self, model: LoadedModel) -> None:
        with self._lock:
            # cachetools raises an error for a value that is larger than the cache.
            if self._weight(model) <= self._models.maxsize:
                self._models[model.info.digest] = model

    def _weight(self, model: LoadedModel) -> int:
        return max(model.size, self._min_weight)
