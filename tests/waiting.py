"""Waits for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds. More than anything in a fast test should take on any machine."""


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Waits until the condition is true, and fails if it is not true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
