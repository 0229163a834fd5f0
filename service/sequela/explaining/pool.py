"""The workers that requests share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


class Pool:
    """Runs jobs one after another, until there are workers."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, jobs: Iterable[Callable[[], T]]) -> Iterable[T]:
        """The results, in the jobs' order."""
        return [job() for job in jobs]
