"""Leases within one process, for stores that only one process uses."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Lease:
    token: str
    end: float


class ProcessLeases:
    """Implements `Leases`. `clock` returns the time in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._leases: dict[str, _Lease] = {}

    def take(self, key: str, seconds: float) -> str | None:
        """See `Leases`."""
        now = self._clock()
        with self._lock:
            if self._held(key, now):
                return None
            self._leases[key] = _Lease(uuid.uuid4().hex, now + seconds)
            return self._leases[key].token

    def held(self, key: str) -> bool:
        """See `Leases`."""
        with self._lock:
            return self._held(key, self._clock())

    def release(self, key: str, token: str) -> None:
        """See `Leases`."""
        with self._lock:
            if (present := self._leases.get(key)) and present.token == token:
                del self._leases[key]

    def _held(self, key: str, now: float) -> bool:
        present = self._leases.get(key)
        if present is not None and present.end <= now:
            del self._leases[key]
            return False
        return present is not None
