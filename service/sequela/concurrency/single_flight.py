"""The same question asked twice at once is worked out once.

The first caller leads; the others wait, no longer than their own deadline. A leader that fails, is cancelled, or
ends with an answer that may not be shared hands over: one of those waiting leads next.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sequela.concurrency.deadline import Deadline

POLL_SECONDS = 0.05
"""How often a waiting caller looks whether it has been cancelled."""


class SingleFlight:
    """Lets one thread at a time work on a key."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy: set[str] = set()

    @contextmanager
    def lead(self, key: str, deadline: Deadline) -> Iterator[None]:
        """Waits for the turn on `key`. Raises TimeUp when the deadline comes first, Cancelled when the
        caller is gone.
        """
        with self._changed:
            while key in self._busy:
                deadline.check()
                left = deadline.remaining
                self._changed.wait(POLL_SECONDS if math.isinf(left) else min(max(left, 0), POLL_SECONDS))
            self._busy.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(key)
                self._changed.notify_all()
