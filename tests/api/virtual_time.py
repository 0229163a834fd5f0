"""Runs coroutines in virtual time: to wait takes no time, and moves the clock forward, on any machine alike."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from sequela.concurrency import deadline

T = TypeVar("T")


class _VirtualSelector(selectors.SelectSelector):
    """Moves the clock forward instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _VirtualSelector) -> None:
        self._virtual = selector
        super().__init__(selector)

    def time(self) -> float:
        return self._virtual.now


def play(scene: Coroutine[Any, Any, T], monkeypatch: pytest.MonkeyPatch) -> T:
    """Plays a scene. Deadlines and the event loop have the same virtual clock."""
    selector = _VirtualSelector()
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: selector.now))
    with asyncio.Runner(loop_factory=lambda: _VirtualLoop(selector)) as runner:
        return runner.run(scene)
