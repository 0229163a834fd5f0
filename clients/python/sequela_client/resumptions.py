"""Decides when a stream that broke is opened again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sequela_client.errors import SequelaError, Unavailable


def pause_seconds(failures: int) -> float:
    """How many seconds to wait after this many failures in a row, at least 1."""
    return 0.1 * float(2 ** (failures - 1))


@dataclass(slots=True)
class Resumptions:
    """Decides whether a stream that broke is opened again, for the sequences that have no answer.

    A server ends connections that are older than its --max-connection-age, and a server that is replaced ends them too.
    """

    answered: int = 0
    failures: int = 0
    MOST_FAILURES: ClassVar[int] = 4
    """Streams in a row without a single answer. A sequence that takes longer than a connection may last has none."""

    def pause(self, failure: SequelaError, answered: int) -> float | None:
        """How many seconds to wait before the stream is opened again; None if it must not be.

        Args:
            failure: why the stream ended.
            answered: how many sequences have an answer.
        """
        if not isinstance(failure, Unavailable):
            return None
        self.failures = 1 if answered > self.answered else self.failures + 1
        self.answered = answered
        if self.failures >= self.MOST_FAILURES:
            return None
        return max(failure.retry_after or 0.0, pause_seconds(self.failures))
