"""When the whole machine stood still: a virtual machine may be halted for seconds, whoever is being measured."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STEP = 0.02  # seconds between looks at the clock
LATE = 0.25  # seconds that no scheduler keeps a thread waiting which has slept until now


@dataclass
class Watch:
    """Seconds in all, and of the longest time, in which nothing ran."""

    seconds: float = 0.0
    longest: float = 0.0

    def look(self, slept: float) -> None:
        """A sleep of STEP took so long."""
        late = slept - STEP
        if late > LATE:
            self.seconds += late
            self.longest = max(self.longest, late)


@contextmanager
def watched() -> Iterator[Watch]:
    """Watches as long as the context lasts. This process itself has to leave its interpreter free."""
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
