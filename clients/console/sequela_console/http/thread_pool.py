"""Threads for the routes of one kind, so that slow ones cannot take the threads of all others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anyio import CapacityLimiter, to_thread

from sequela_console.http.errors import ApiError


@dataclass(slots=True)
class ThreadPool:
    """A fixed number of threads, and a queue for them.

    Args:
        threads: how many requests are answered at once.
        most_waiting: how many wait for a thread; further ones are refused.
    """

    threads: int
    most_waiting: int
    _limiter: CapacityLimiter = field(init=False)
    _inside: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Makes the queue."""
        self._limiter = CapacityLimiter(self.threads)

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a function in one of the threads, and returns its result.

        Raises:
            ApiError: (503) too many wait already.
        """
        # The limiter's own count does not include requests that are just about to wait.
        if self._inside >= self.threads + self.most_waiting:
            raise ApiError(
                503, "BUSY", "the console has too many requests of this kind; try again in a minute"
            )
        self._inside += 1
        try:
            return await to_thread.run_sync(function, *arguments, limiter=self._limiter)
        finally:
            self._inside -= 1
