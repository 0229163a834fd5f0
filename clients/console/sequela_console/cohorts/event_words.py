"""Words for the index of an event."""

from __future__ import annotations


def event_words(t: int) -> str:
    """Returns "latest event" for t = 0, and "2 before the latest" for t = −2."""
    return "latest event" if t == 0 else f"{-t} before the latest"
