"""Requests that ended their engine are refused when they come again and again."""

from __future__ import annotations

import threading

from cachetools import TTLCache

from sequela.engines.exits import EngineLost, ExitReason
from sequela.errors import DoesNotFit

MAX_REQUESTS = 10_000
MAX_CRASHES = 2
"""How often a request may end its engine. Clients repeat a request that failed because its engine was lost."""
GUILTY = frozenset({ExitReason.CRASHED, ExitReason.OUT_OF_MEMORY, ExitReason.CPU_LIMIT, ExitReason.INVALID})


class CrashLog:
    """Counts the crashes of requests. Thread-safe.

    Args:
        seconds: How long a crash counts.
    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._crashes: TTLCache[str, tuple[int, str]] = TTLCache(MAX_REQUESTS, max(seconds, 1e-9))

    def check(self, key: str) -> None:
        """Raises DoesNotFit (REQUEST_QUARANTINED) if this request has crashed too often."""
        with self._lock:
            count, detail = self._crashes.get(key, (0, ""))
        if count >= MAX_CRASHES:
            text = (
                f"this request has ended the process that runs the model {count} times (it {detail}), so it is not "
                "tried again for a while; change the request, or ask the operator"
            )
            raise DoesNotFit("REQUEST_QUARANTINED", text)

    def note(self, key: str, lost: EngineLost) -> None:
        """Counts the end of an engine, if the request may be to blame for it. An empty key is not counted."""
        if key and lost.exit.reason in GUILTY:
            with self._lock:
                count, _ = self._crashes.get(key, (0, ""))
                self._crashes[key] = (count + 1, lost.exit.detail)
