"""Watches the running tasks: forwards changes of their deadlines at once, and ends engines that overrun.

Whoever changes a deadline forwards the change. A thread ends the engines.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sequela.concurrency.deadline import Deadline
from sequela.engines.control import DeadlineState

log = logging.getLogger("sequela.engines")

TICK_SECONDS = 0.02


class Watch:
    """A running task.

    Args:
        number: The number of the task.
        deadline: Its deadline, which other threads may change.
        grace: How long it may continue after the deadline, in seconds.
        forward: Sends a new state of the deadline to the engine; returns whether it did.
        kill: Ends the engine.
    """

    def __init__(
        self,
        number: int,
        deadline: Deadline,
        grace: float,
        forward: Callable[[DeadlineState], bool],
        kill: Callable[[], None],
    ) -> None:
        self._number = number
        self._deadline = deadline
        self._grace = grace
        self._forward = forward
        self._kill = kill
        self._lock = threading.Lock()
        self._over = False
        self._sent = DeadlineState.of(number, deadline)
        self._stopped_at = math.inf

    def state(self) -> DeadlineState:
        """Returns the state of the deadline that the engine starts with."""
        return self._sent

    def stop(self) -> None:
        """Gives the task only the grace period from now on, since its result is not wanted any more."""
        self._stopped_at = min(self._stopped_at, Deadline.now())

    def end(self) -> None:
        """Notes that the task is over. The engine will not be killed any more, unless it has been already."""
        with self._lock:
            self._over = True

    def forward(self) -> None:
        """Sends the engine what has changed. Any thread may call it; it waits for nothing."""
        with self._lock:
            state = DeadlineState.of(self._number, self._deadline)
            if state.cancelled:
                self.stop()
            if not self._over and state != self._sent and self._forward(state):
                self._sent = state

    def tick(self) -> None:
        """Forwards what could not be sent before, and ends the engine if it is too late."""
        self.forward()
        with self._lock:
            late = Deadline.now() >= min(self._deadline.end, self._stopped_at) + self._grace
            if late and not self._over:
                self._over = True
                self._kill()

    def followed(self) -> AbstractContextManager[None]:
        """Forwards changes as soon as they happen, inside a `with` block."""
        return self._deadline.followed(self.forward)


class Watcher:
    """Checks all running tasks periodically, in a thread of its own that waits while there are none."""

    def __init__(self, name: str) -> None:
        self._condition = threading.Condition()
        self._watches: set[Watch] = set()
        self._asleep = self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"watch-{name}", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, watch: Watch) -> Iterator[Watch]:
        """Watches a task inside a `with` block."""
        with self._condition:
            self._watches.add(watch)
            if self._asleep:
                self._condition.notify()
        try:
            with watch.followed():
                yield watch
        finally:
            watch.end()
            with self._condition:
                self._watches.discard(watch)

    def close(self) -> None:
        """Ends the thread."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while watches := self._wait():
            for watch in watches:
                try:
                    watch.tick()
                except Exception:  # the other tasks still need this thread
                    log.exception("a task could not be watched")

    def _wait(self) -> tuple[Watch, ...]:
        with self._condition:
            # It stays awake for one more tick, so that a sequence of short tasks does not wake it for each of them.
            if not self._closed:
                self._condition.wait(TICK_SECONDS)
            self._asleep = True
            self._condition.wait_for(lambda: self._closed or self._watches)
            self._asleep = False
            return () if self._closed else tuple(self._watches)
