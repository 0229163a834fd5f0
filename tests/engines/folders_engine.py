"""An engine that reads and writes files, if it may."""

from __future__ import annotations

from pathlib import Path

from sequela.concurrency.deadline import Deadline
from sequela.engines.channel import Ask, Channel


def serve(config: bytes, channel: Channel) -> None:
    channel.serve(b"", handle)


def handle(task: bytes, _ask: Ask, _deadline: Deadline) -> bytes:
    verb, _, path = task.decode().partition(" ")
    try:
        return (Path(path).read_text() if verb == "read" else str(Path(path).write_text("text"))).encode()
    except OSError as error:
        return type(error).__name__.encode()
