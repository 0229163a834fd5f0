"""A circuit breaker whose probe runs in the background, so that a dead dependency costs callers nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Breaker:
    """Closed while things work. `fail` opens it; then `probe` runs every `rest` seconds, off any caller's
    way, until it returns True. `told` hears of every change, and of the first success: (closed, why).
    """

    def __init__(self, probe: Callable[[], bool], told: Callable[[bool, str], None], rest: float) -> None:
        self._probe = probe
        self._told = told
        self._rest = rest
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
        with self._lock:
            first = not self._known and self._detail is None
            self._known = True
        if first:
            self._told(True, "")

    def fail(self, detail: str) -> None:
        """A call failed: further calls are to be refused until the probe works."""
        with self._lock:
            first = self._detail is None
            self._detail = detail
            self._known = True
        if first:
            self._told(False, detail)
            threading.Thread(target=self._recover, name="store-probe", daemon=True).start()

    def close(self) -> None:
        """Stops probing."""
        self._stopped.set()

    def _recover(self) -> None:
        while not self._stopped.wait(self._rest):
            if self._probe():
                with self._lock:
                    self._detail = None
                self._told(True, "")
                return
