"""When a call that failed is sent again: how often, after which wait, and how many times in all."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, fields

from sequela_client.errors import CallerError, TryAgain, Unavailable


@dataclass(frozen=True, slots=True)
class Retries:
    """How a client sends a call again that failed. `Retries(attempts=1)` turns that off.

    A call is sent again if the server says after what time that may help (RetryInfo), or if it could not be reached or
    was shutting down. Every call is safe to repeat: the same request gets the same answer.

    The wait before attempt n + 1 is `first_wait_seconds` * 2^(n - 1), or what the server asks for if that is longer.
    Waits are random, so that many clients do not come back at the same moment: up to a fifth longer if the server asks
    for a wait, and otherwise anything from none to twice as long. If a wait would be longer than `longest_wait_seconds`
    or would not end within the timeout, the error is raised at once.

    Args:
        attempts: how often a call is sent at most, the first time included.
        first_wait_seconds: the wait before the second attempt, which doubles from then on.
        longest_wait_seconds: the longest wait before an attempt.
        budget: how many calls this client may send again in a row, over all its threads. With each success it gains a
            tenth of a call. So a server that is overloaded is not given several times as many calls.
    """

    attempts: int = 4
    first_wait_seconds: float = 0.1
    longest_wait_seconds: float = 10.0
    budget: int = 100

    def __post_init__(self) -> None:
        lowest = {"attempts": 1}
        for each in fields(self):
            value, least = getattr(self, each.name), lowest.get(each.name, 0)
            if not value >= least:
                text = f"retries.{each.name}: must be at least {least}, not {value!r}"
                raise CallerError(text, reason="ARGUMENT_INVALID")

    def backoff_seconds(self, failures: int) -> float:
        """The wait after this many failures of a call, at least 1, if the server asks for no other."""
        return self.first_wait_seconds * float(2 ** (failures - 1))


class RetryBudget:
    """Decides for all calls of one client whether one is sent again. It is safe to use from several threads."""

    # What a success adds to the budget: in the long run, at most one call in ten is sent again.
    GAIN = 0.1
    # How far waits that the server asks for are stretched at most, at random.
    SPREAD = 0.2
    # Calls of many clients fail at the same moment if a server goes, and it asks for no wait. The mean stays the same.
    MOST_WITHOUT_ANSWER = 2.0

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._left = float(retries.budget)
        self._lock = threading.Lock()
        # Waits need no cryptographic randomness.
        self._random = random.Random()  # noqa: S311

    def succeeded(self) -> None:
        """Notes that a call succeeded."""
        with self._lock:
            self._left = min(self._left + self.GAIN, float(self._retries.budget))

    def wait_seconds(self, error: TryAgain, failures: int, remaining: float | None) -> float | None:
        """How many seconds to wait before a call is sent again; None if the error is to be raised.

        Args:
            error: why the call failed.
            failures: how often it has failed, at least 1.
            remaining: how many seconds the caller still has; None stands for any number.
        """
        if failures >= self._retries.attempts or not _may_help(error):
            return None
        least = max(self._retries.backoff_seconds(failures), error.retry_after or 0.0)
        wait = least * self._random.uniform(*self._bounds(error))
        if least > self._retries.longest_wait_seconds or (remaining is not None and wait >= remaining):
            return None
        return wait if self._take() else None

    def _bounds(self, error: TryAgain) -> tuple[float, float]:
        """The bounds of the factor by which a wait is spread."""
        return (0.0, self.MOST_WITHOUT_ANSWER) if error.retry_after is None else (1.0, 1.0 + self.SPREAD)

    def _take(self) -> bool:
        with self._lock:
            if self._left < 1.0:
                return False
            self._left -= 1.0
            return True


def _may_help(error: TryAgain) -> bool:
    """Whether a further attempt may succeed. A server says so with RetryInfo; one that is gone cannot."""
    return error.retry_after is not None or isinstance(error, Unavailable)
