"""Sends what waits in the outbox, in the background."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from sequela.adapters.store.outbox.folder import OutboxFolder
from sequela.adapters.store.ports import RETRY_AFTER_SECONDS, Records, StoreDown
from sequela.explain.ports import Observer
from sequela.explain.telemetry import ExplanationsOwed

ADOPTION_SECONDS = 60.0
"""How often the files of servers that have ended are looked for."""

CLOSE_SECONDS = 5.0
"""How long closing goes on sending."""

_SENT_AT_ONCE = 50  # explanations between two looks at the clock
_log = structlog.get_logger(__name__)


class OutboxSender:
    """A thread that sends what waits, the oldest first, as soon as the shared store is back.

    Args:
        outbox: What waits.
        shared: Where it is sent to.
        observer: Is told how many explanations wait.
        interval_seconds: How often it is tried while the store is down.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        outbox: OutboxFolder,
        shared: Records,
        observer: Observer,
        interval_seconds: float = RETRY_AFTER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox, self._shared, self._observer = outbox, shared, observer
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
        self._send_all(self._clock() + seconds)
        if count := self._outbox.file.count:
            _log.warning("explanations owed", folder=str(self._outbox.folder), explanations=count)
        self._outbox.close()

    def _run(self) -> None:
        adoption = self._clock()
        while not self._stopped.is_set():
            if self._clock() >= adoption:
                self._adopt()
                adoption = self._clock() + ADOPTION_SECONDS
            self._send_all(float("inf"))
            self._wake.wait(self._interval_seconds)

    def _adopt(self) -> None:
        try:
            self._outbox.adopt()
        except (OSError, sqlite3.Error) as error:
            _log.warning("outbox not adopted", file=str(self._outbox.folder), detail=str(error))
        self.tell()

    def _send_all(self, until: float) -> None:
        try:
            while self._outbox.file.count and self._clock() < until:
                if not self._send_some() or (until == float("inf") and self._stopped.is_set()):
                    break
        except sqlite3.Error as error:
            _log.error("outbox unreadable", file=str(self._outbox.file.path), detail=str(error))
        self.tell()

    def _send_some(self) -> bool:
        """Sends the oldest, and returns whether that worked."""
        file, now = self._outbox.file, datetime.now(UTC)
        for owed in file.oldest(_SENT_AT_ONCE):
            if owed.record.expires > now:
                try:
                    self._shared.add(owed.record, owed.body, owed.answer_key)
                except StoreDown:
                    return False
            file.remove([owed.number])
        self.tell()
        return True
