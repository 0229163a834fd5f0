"""A circuit breaker whose probe runs in the background, so that a dead dependency costs callers nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable


class CircuitBreaker:
    """Closed while things work. `fail` opens it; then `probe` runs every `rest` seconds, off any caller's
    way, until it returns True. `told` hears of every change, and of the first success: (closed, why). `name` is
    that of the thread.
    """

    def __init__(
        self, probe: Callable[[], bool], told: Callable[[bool, str], None], rest: float, name: str
    ) -> None:
        self._probe = probe
        self._told = told
        self._rest = rest
        self._name = name
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._detail: str | None = None
        self._known = False

    @property
    def why_open(self) -> str | None:
        """The failure that opened it; None while it is closed."""
        return self._detail

    def succeed(self) -> None:
        """A call worked. It does not close the breaker: that is the probe's to do."""
        if not self._known:
            self._change(None)

    def fail(self, detail: str) -> None:
        """A call failed: further calls are to be refused until the probe works."""
        if self._change(detail):
            threading.Thread(target=self._recover, name=self._name, daemon=True).start()

    def close(self) -> None:
        """Stops probing."""
        self._stopped.set()

    def _change(self, detail: str | None) -> bool:
        """Whether that was one. It is told before the next change can happen, so that the last told is true."""
        with self._lock:
            if self._known and (detail is None) == (self._detail is None):
                return False
            self._known, self._detail = True, detail
            self._told(detail is None, detail or "")
            return True

    def _recover(self) -> None:
        while not self._stopped.wait(self._rest):
            if self._probe():
                self._change(None)
                return
