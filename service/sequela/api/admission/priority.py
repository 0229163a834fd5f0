"""Who goes first if explanations have to wait."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """The queue that an explanation waits in."""

    INTERACTIVE = "interactive"
    BULK = "bulk"
