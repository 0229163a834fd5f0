"""Reports stored entries that readers skip: all of them in metrics, and one a minute in the log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from sequela.adapters.store.envelope import SkipReason
from sequela.explain.ports import Observer, Observers
from sequela.explain.telemetry import EntrySkipped

LOG_INTERVAL_SECONDS = 60.0

NOBODY = Observers(())
"""An observer for those who need none."""

_log = structlog.get_logger(__name__)


class SkipLog:
    """Counts skipped entries.

    Args:
        observer: Receives a record of each.
        clock: Returns the time in seconds.
    """

    def __init__(self, observer: Observer, clock: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer
        self._clock = clock
        self._lock = threading.Lock()
        self._next_line = -float("inf")
        self._since = 0

    def skip(self, reason: SkipReason, key: str) -> None:
        """Reports that the entry with this key was skipped."""
        self._observer.notice(EntrySkipped(reason.value))
        now = self._clock()
        with self._lock:
            self._since += 1
            if now < self._next_line:
                return
            self._next_line, count, self._since = now + LOG_INTERVAL_SECONDS, self._since, 0
        # A key that another program wrote may have any bytes.
        _log.warning("stored entry skipped", reason=reason.value, key=ascii(key)[1:-1], entries=count)
