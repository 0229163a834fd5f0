"""Keeps answers about a cohort, as long as they fit into a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class AnswerCache:
    """The most recently used answers. Each is computed by one thread, and others that need it wait.

    Args:
        most_bytes: how much they may take together. A larger answer is not kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._computing: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, compute: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """Returns the answer for a key, which is computed if it is not there.

        Args:
            key: what was asked.
            compute: computes the answer.
            size: returns how many bytes an answer takes.
        """
        with self._lock:
            turn = self._computing.setdefault(key, threading.Lock())
        with turn:
            try:
                if (held := self._find(key)) is not None:
                    return held[0]
                answer = compute()
                self._keep(key, answer, size(answer))
                return answer
            finally:
                with self._lock:
                    self._computing.pop(key, None)

    def _find(self, key: Hashable) -> tuple[Any, int] | None:
        with self._lock:
            held = self._held.get(key)
            if held is not None:
                self._held.move_to_end(key)
            return held

    def _keep(self, key: Hashable, answer: Any, size: int) -> None:
        if size > self._most_bytes:
            return
        with self._lock:
            self._bytes -= self._held.pop(key, (None, 0))[1]
            self._held[key] = (answer, size)
            self._bytes += size
            while self._bytes > self._most_bytes:
                self._bytes -= self._held.popitem(last=False)[1][1]
