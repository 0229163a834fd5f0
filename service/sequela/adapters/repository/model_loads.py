"""Loads a model once for all requests that wait for it, and no longer than they wait."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from sequela.adapters.repository.loaded_model import LoadedModel
from sequela.concurrency.deadline import Deadline

Load = Callable[[Deadline], LoadedModel]
"""Loads a model. It stops soon after the deadline is cancelled."""

MAX_LOADS = 64
"""How many models are loaded at a time at most. Usually the executor of the requests that wait sets a lower limit."""
POLL_SECONDS = 0.02
"""How often a waiting request checks whether it was cancelled."""


@dataclass(slots=True, eq=False)
class SharedLoad:
    """A load, and how many requests wait for it.

    Attributes:
        deadline: Is cancelled when no request waits any more.
        result: The model, or the error of the load.
        waiting: The number of requests.
    """

    deadline: Deadline = field(default_factory=Deadline)
    result: Future[LoadedModel] = field(default_factory=Future)
    waiting: int = 0


class ModelLoads:
    """The loads that are running. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loads: dict[str, SharedLoad] = {}
        self._threads = ThreadPoolExecutor(MAX_LOADS, thread_name_prefix="load")

    def get(self, digest: str, load: Load, deadline: Deadline) -> LoadedModel:
        """Returns the model with this digest, and calls `load` unless another request is loading the model already.

        A load ends when no request waits for it any more, so it has as much time as the request with the latest
        deadline.

        Raises:
            SequelaError: What `load` raises. Errors of a load that another request began are not passed on, because
                they may name fields of that request, or be about its end; this one then loads the model itself.
            DeadlinePassed: The deadline came first.
            Cancelled: The request was cancelled.
        """
        while True:
            shared, began = self._join(digest, load)
            try:
                _wait(shared, deadline)
            finally:
                self._leave(shared)
            if began or not shared.result.exception():
                return shared.result.result()

    def _join(self, digest: str, load: Load) -> tuple[SharedLoad, bool]:
        """Returns the load of a model, and whether this request began it."""
        with self._lock:
            found = self._loads.get(digest)
            shared = found or SharedLoad()
            if found is None:
                # The context carries the request id to the log lines of the thread.
                run = contextvars.copy_context().run
                shared.result = self._threads.submit(run, self._run, digest, load, shared.deadline)
                self._loads[digest] = shared
            shared.waiting += 1
            return shared, found is None

    def _run(self, digest: str, load: Load, deadline: Deadline) -> LoadedModel:
        try:
            return load(deadline)
        finally:
            # Not sooner, even if no request waits any more: a load that cannot be stopped must not be begun twice.
            with self._lock:
                del self._loads[digest]

    def _leave(self, shared: SharedLoad) -> None:
        with self._lock:
            shared.waiting -= 1
            if not shared.waiting:
                shared.deadline.cancel()


def _wait(shared: SharedLoad, deadline: Deadline) -> None:
    while not wait([shared.result], min(POLL_SECONDS, max(deadline.remaining, 0.0))).done:
        deadline.check()
