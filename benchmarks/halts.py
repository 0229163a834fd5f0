"""Detects when the whole machine stood still, since a virtual machine may be halted for seconds at any time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STEP = 0.02  # seconds between readings of the clock
LATE = 0.25  # seconds; the scheduler of a running machine does not delay a sleeping thread for as long


@dataclass
class Watch:
    """For how many seconds nothing ran: in total, and the longest time."""

    seconds: float = 0.0
    longest: float = 0.0

    def look(self, slept: float) -> None:
        """Adds a sleep that was meant to last STEP and took `slept` seconds."""
        late = slept - STEP
        if late > LATE:
            self.seconds += late
            self.longest = max(self.longest, late)


@contextmanager
def watched() -> Iterator[Watch]:
    """Watches the clock in a thread while the context is open. This process must not hold its interpreter lock for
    long.
    """
    watch, over = Watch(), threading.Event()

    def look() -> None:
        before = time.monotonic()
        while not over.wait(STEP):
            now = time.monotonic()
            watch.look(now - before)
            before = now

    thread = threading.Thread(target=look, name="stillness")
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
