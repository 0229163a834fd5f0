"""Refuses, for a while, requests and models that have ended their engine repeatedly."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from cachetools import LRUCache, TTLCache

from sequela.engines.exits import GUILTY, EngineLost
from sequela.errors import DoesNotFit, Unavailable

MAX_REQUESTS = 10_000
MAX_MODELS = 1_000
MAX_CRASHES = 2
"""How often a request may end its engine. Clients repeat a request that failed because its engine was lost."""
MAX_MODEL_CRASHES = 4
"""How often all requests of a model together may end an engine within `WINDOW_SECONDS`."""
WINDOW_SECONDS = 30.0
REST_SECONDS = 5.0
"""How long, in seconds, a model is not run after a crash, if it has crashed that often."""

Keys = Callable[[], tuple[str, ...]]
"""Returns the sequences of a request, as `request_sequences.sequence_keys`."""


class CrashLog:
    """Counts the crashes of the sequences of each model, and of each model. Thread-safe.

    Args:
        seconds: How long the crash of a sequence counts, in seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._crashes: TTLCache[tuple[str, str], tuple[int, str]] = TTLCache(MAX_REQUESTS, max(seconds, 1e-9))
        self._suspects: TTLCache[str, bool] = TTLCache(MAX_MODELS, max(seconds, 1e-9))
        self._models: LRUCache[str, deque[float]] = LRUCache(MAX_MODELS)

    def check(self, digest: str, keys: Keys) -> None:
        """Raises an error if the request, or its model, has ended too many engines.

        Args:
            digest: The digest of the model.
            keys: Returns the sequences. It is called only if the model has crashed, since it takes time.

        Raises:
            DoesNotFit: REQUEST_QUARANTINED: a sequence of the request has ended too many.
            Unavailable: MODEL_UNSTABLE: the model has ended too many in a short time.
        """
        with self._lock:
            suspect = digest in self._suspects
        if suspect:
            self._check_sequences(digest, keys())
        self._check_model(digest)

    def note(self, digest: str, keys: Keys, lost: EngineLost) -> None:
        """Counts the end of an engine, if the request or the model may be to blame for it."""
        if lost.exit.reason not in GUILTY:
            return
        found = keys()
        with self._lock:
            self._suspects[digest] = True
            self._models.setdefault(digest, deque(maxlen=MAX_MODEL_CRASHES)).append(time.monotonic())
            # With several sequences, it is not known which one was to blame, so only the same ones together are
            # refused.
            key = (digest, found[-1])
            count, _ = self._crashes.get(key, (0, ""))
            self._crashes[key] = (count + 1, lost.exit.detail)

    def _check_sequences(self, digest: str, keys: tuple[str, ...]) -> None:
        with self._lock:
            found = [self._crashes.get((digest, key), (0, "")) for key in keys]
        count, detail = max(found)
        if count >= MAX_CRASHES:
            text = (
                f"this sequence has ended the process that runs the model {count} times (it {detail}), so it is not "
                "tried again for a while; change the sequence, or ask the operator"
            )
            raise DoesNotFit("REQUEST_QUARANTINED", text)

    def _check_model(self, digest: str) -> None:
        with self._lock:
            ends = tuple(self._models.get(digest, ()))
        now = time.monotonic()
        if len(ends) < MAX_MODEL_CRASHES or ends[0] < now - WINDOW_SECONDS:
            return
        left = ends[-1] + REST_SECONDS - now
        if left > 0:
            text = (
                f"the model has ended the processes that run it {len(ends)} times in {now - ends[0]:.0f} s, so it is "
                f"not run for another {left:.1f} s; ask the operator if this continues"
            )
            raise Unavailable("MODEL_UNSTABLE", text, retry_after=left, metadata={"digest": digest})
