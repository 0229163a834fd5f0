"""Reads the model repository again and again while the server runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from sequela.adapters.repository.repository_content import RepositoryContent

_log = structlog.get_logger(__name__)


class RepositoryWatch:
    """Reads a repository in a thread. A change counts when two readings in a row agree on it.

    Args:
        root: The folder of the repository.
        first: The reading with which the server started.
        interval_seconds: The time between two readings.
        apply: Is called after each reading with what it and the one before agree on.

    Attributes:
        problem: Why the last reading was not used, or an empty string.
    """

    def __init__(
        self,
        root: Path,
        first: RepositoryContent,
        interval_seconds: float,
        apply: Callable[[RepositoryContent], None],
    ) -> None:
        self.problem = ""
        self._root, self._last = root, first
        self._interval_seconds, self._apply = interval_seconds, apply
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="model-repository", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Lets the thread end."""
        self._stopping.set()

    def look(self) -> None:
        """Reads the repository once."""
        try:
            reading = RepositoryContent.of(self._root)
        except OSError as error:
            self._distrust(f"it cannot be read: {error.strerror}")
            return
        # A volume that is not mounted any more looks like an empty folder.
        if reading.empty and not self._last.empty:
            self._distrust("it is empty")
            return
        self.problem = ""
        last, self._last = self._last, reading
        self._apply(reading.since(last))

    def _distrust(self, reason: str) -> None:
        problem = f"{reason}, so its models stay in use as they are; restart the server if this is intended"
        if problem != self.problem:
            _log.warning("model repository not read", detail=problem)
        self.problem = problem

    def _repeat(self) -> None:
        while not self._stopping.wait(self._interval_seconds):
            try:
                self.look()
            except Exception:  # a bug here must not end the thread
                _log.exception("model repository watch crashed")
