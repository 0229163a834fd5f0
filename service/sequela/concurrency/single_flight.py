"""Computes a result once when several requests ask for it at the same time.

The first request computes the result. The others wait, but no longer than their own deadlines, and then look it up in
the store. If it is not there because the first request failed, was cancelled or got an answer that may not be shared,
one of the waiting requests computes it next.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from sequela.concurrency.deadline import Deadline

POLL_SECONDS = 0.05
"""How often a waiting request checks whether it was cancelled."""


class Flights(Protocol):
    """Lets one request at a time work on an answer. Requests for the same answer wait for it."""

    def lead(self, key: str, deadline: Deadline) -> AbstractContextManager[None]:
        """Waits until nobody else works on `key`, then holds it until the context exits.

        Raises:
            DeadlinePassed: The deadline came first.
            Cancelled: The request was cancelled.
        """


class SingleFlight:
    """Implements `Flights` for the threads of a process. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy: set[str] = set()

    @contextmanager
    def lead(self, key: str, deadline: Deadline) -> Iterator[None]:
        """Waits until no other thread works on `key`, then holds it until the context exits.

        Raises:
            DeadlinePassed: The deadline came first.
            Cancelled: The request was cancelled.
        """
        with self._changed:
            while key in self._busy:
                deadline.check()
                # In short turns, because a cancelled deadline does not notify the condition.
                self._changed.wait(min(max(deadline.remaining, 0), POLL_SECONDS))
            self._busy.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(key)
                self._changed.notify_all()
