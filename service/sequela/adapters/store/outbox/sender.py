"""Sends what waits in the outbox, in the background."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from sequela.adapters.store.outbox.folder import OutboxFolder
from sequela.adapters.store.ports import RETRY_AFTER_SECONDS, Addition, StoreDown
from sequela.explain.ports import Observer
from sequela.explain.telemetry import ExplanationsOwed

ADOPTION_SECONDS = 60.0
"""How often, in seconds, the folder is searched for files of servers that have ended."""

CLOSE_SECONDS = 5.0
"""How long, in seconds, closing continues to send and waits for Redis, if explanations still wait."""

_CLOSE_POLL_SECONDS = 0.1

_SENT_AT_ONCE = 20
"""Explanations in one round trip, which must end within the limit of a call."""

_log = structlog.get_logger(__name__)


class Recipient(Protocol):
    """The shared store, as the sender sees it."""

    def is_up(self) -> bool:
        """Returns whether an attempt may succeed."""

    def add_all(self, additions: Sequence[Addition]) -> None:
        """Adds records. Raises StoreDown."""


class OutboxSender:
    """A thread that sends what waits, the oldest first, as soon as the shared store is back.

    Args:
        outbox: What waits.
        recipient: Where it is sent to.
        observer: Receives how many explanations wait.
        interval_seconds: The time between attempts while the store is down.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        outbox: OutboxFolder,
        recipient: Recipient,
        observer: Observer,
        interval_seconds: float = RETRY_AFTER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox, self._recipient, self._observer = outbox, recipient, observer
        self._at_once = _SENT_AT_ONCE
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._told: tuple[int, int] = (-1, 0)
        self._telling = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="store-outbox", daemon=True)

    def start(self) -> None:
        """Starts the thread. First it looks for files of servers that have ended."""
        self._thread.start()

    def tell(self) -> None:
        """Tells the observer how many explanations wait, and how many were dropped since it was told last."""
        file = self._outbox.file
        with self._telling:
            before, self._told = self._told, (file.count, file.dropped)
            if self._told == before:
                return
            dropped = file.dropped - before[1]
            self._observer.notice(ExplanationsOwed(file.count, dropped))

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Sends what still waits for up to `seconds`, and closes the outbox. What then waits stays in its file."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        end = self._clock() + seconds
        while self._send_all(end) and self._clock() < end:
            time.sleep(min(self._interval_seconds, _CLOSE_POLL_SECONDS))  # Redis may become available again
        if count := self._outbox.file.count:
            _log.warning("explanations owed", folder=str(self._outbox.folder), explanations=count)
        self._outbox.close()

    def _run(self) -> None:
        adoption = self._clock()
        while not self._stopped.is_set():
            if self._clock() >= adoption:
                self._adopt()
                adoption = self._clock() + ADOPTION_SECONDS
            self._send_all(math.inf)
            self._wake.wait(self._interval_seconds)

    def _adopt(self) -> None:
        try:
            self._outbox.adopt()
        except (OSError, sqlite3.Error) as error:
            _log.warning("outbox not adopted", file=str(self._outbox.folder), detail=str(error))
        self.tell()

    def _send_all(self, until: float) -> bool:
        """Sends until nothing waits, or until the store fails. Returns whether something still waits."""
        file = self._outbox.file
        try:
            while file.count and self._clock() < until and self._send_some():
                if until == math.inf and self._stopped.is_set():
                    break  # `close` continues, and checks the time
        except sqlite3.Error as error:
            _log.error("outbox unreadable", file=str(file.path), detail=str(error))
            return False
        finally:
            self.tell()
        return bool(file.count)

    def _send_some(self) -> bool:
        """Sends the oldest, and returns whether the store took them."""
        if not self._recipient.is_up():
            return False
        file, now = self._outbox.file, datetime.now(UTC)
        owed = file.oldest(self._at_once)
        try:
            self._recipient.add_all([each.addition for each in owed if each.addition.record.expires > now])
        except StoreDown:
            # One that can never be sent must not hold up the others: each is tried alone, and then goes to the end.
            if len(owed) == 1:
                file.move_to_end(owed[0])
            self._at_once = 1
            return False
        file.remove([each.number for each in owed])
        self._at_once = _SENT_AT_ONCE
        self.tell()
        return True
