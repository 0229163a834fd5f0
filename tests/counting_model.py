"""A served model that counts the rows that are computed at the same time, and records when rows arrived."""

from __future__ import annotations

import threading
import time
from typing import Any

from inference_server import ServedModel


class CountingModel(ServedModel):
    """A served model.

    Attributes:
        most_rows: The largest number of rows that were computed at the same time.
        came: For each call the time on the monotonic clock at which it arrived, and its number of rows.
    """

    def __init__(self, content: bytes, delay: float = 0.0) -> None:
        super().__init__(content, delay=delay)
        self.rows = self.most_rows = 0
        self.came: list[tuple[float, int]] = []
        self._counting = threading.Lock()

    def run(self, feeds: Any, output: str) -> Any:
        rows = len(next(iter(feeds.values())))
        with self._counting:
            self.came.append((time.monotonic(), rows))
            self.rows += rows
            self.most_rows = max(self.most_rows, self.rows)
        try:
            return super().run(feeds, output)
        finally:
            with self._counting:
                self.rows -= rows
