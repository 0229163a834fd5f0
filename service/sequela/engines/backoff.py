"""How soon an engine that keeps ending is replaced."""

from __future__ import annotations

FIRST_SECONDS = 0.1
MAX_SECONDS = 10.0


class Backoff:
    """The delays of one slot of a pool: none at first, then ever longer ones until an engine has finished a task."""

    def __init__(self) -> None:
        self._tries = 0

    def next_delay(self) -> float:
        """Returns how long to wait before the next start, in seconds."""
        self._tries += 1
        # The first start and the first replacement are immediate.
        return 0.0 if self._tries <= 2 else min(MAX_SECONDS, FIRST_SECONDS * 2.0 ** min(self._tries - 3, 20))

    def reset(self) -> None:
        """Notes that the engine works, so that the next replacement is immediate."""
        self._tries = 1
