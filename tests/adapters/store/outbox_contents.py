"""What outboxes hold, and what was told of it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from adapters.store.store_samples import Heard
from sequela.adapters.store.outbox.file import OutboxFile, OwedRecord
from sequela.explain.telemetry import ExplanationsOwed


def owed(heard: Heard) -> list[int]:
    """How many explanations waited, each time that it changed."""
    return [each.count for each in heard.of(ExplanationsOwed)]


def files(folder: Path) -> list[str]:
    """The outboxes that are there."""
    return sorted(path.name for path in folder.glob("outbox-*.db"))


def outbox_content(folder: Path) -> list[OwedRecord]:
    """What a closed outbox still holds."""
    found: list[OwedRecord] = []
    for name in files(folder):
        with contextlib.closing(OutboxFile(folder / name, 1 << 20)) as file:
            found += file.oldest(100)
    return found
