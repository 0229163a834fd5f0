"""A circuit breaker that probes in the background, so that callers do not wait for a dependency that is down."""

from __future__ import annotations

import threading
from collections.abc import Callable


class CircuitBreaker:
    """A breaker that a failed call opens, and that a probe in the background closes again.

    Args:
        probe: Returns whether the dependency works again. It runs in a thread of its own while the breaker is open.
        on_change: Called with (closed, detail) whenever the state changes, and after the very first call.
        probe_interval_seconds: How long to wait before each probe.
        thread_name: The name of the probing thread.
    """

    def __init__(
        self,
        probe: Callable[[], bool],
        on_change: Callable[[bool, str], None],
        probe_interval_seconds: float,
        thread_name: str,
    ) -> None:
        self._probe = probe
        self._on_change = on_change
        self._probe_interval_seconds = probe_interval_seconds
        self._thread_name = thread_name
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._detail: str | None = None
        self._known = False  # whether any call has succeeded or failed yet

    @property
    def why_open(self) -> str | None:
        """The failure that opened the breaker, or None while it is closed."""
        return self._detail

    def succeed(self) -> None:
        """Reports that a call succeeded. This does not close the breaker; only the probe does."""
        if not self._known:
            self._change(None)

    def fail(self, detail: str) -> None:
        """Reports that a call failed, and opens the breaker. Callers check `why_open` before each call."""
        if self._change(detail):
            threading.Thread(target=self._recover, name=self._thread_name, daemon=True).start()

    def close(self) -> None:
        """Stops probing."""
        self._stopped.set()

    def _change(self, detail: str | None) -> bool:
        """Returns whether the state changed. `on_change` runs under the lock, so that reports come in order."""
        with self._lock:
            if self._known and (detail is None) == (self._detail is None):
                return False
            self._known, self._detail = True, detail
            self._on_change(detail is None, detail or "")
            return True

    def _recover(self) -> None:
        while not self._stopped.wait(self._probe_interval_seconds):
            if self._probe():
                self._change(None)
                return
