"""A served model that tells how many rows were under way at a time, and when rows came."""

from __future__ import annotations

import threading
import time
from typing import Any

from inference_server import ServedModel


class CountingModel(ServedModel):
    """most_rows: under way at a time; came: when calls came, on the monotonic clock, and of how many rows."""

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
