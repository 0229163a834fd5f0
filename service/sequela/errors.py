"""What can go wrong, free of transport. `api.errors` has one table from these classes to status codes.

Every error has a stable `reason` in UPPER_SNAKE_CASE, a message that names the value and the limit, and, where a field
of the request is at fault, the path by which its caller wrote it (`sequence.inputs[0].tensor`, `instances[0].amounts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with one field of the request."""

    field: str
    description: str


class SequelaError(Exception):
    """The base of everything that Sequela raises on purpose.

    `retry_after` is in seconds, and set only where trying again helps. `metadata` holds short facts for
    machines.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        violations: Iterable[Violation] = (),
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.metadata = dict(metadata or {})


class InvalidInput(SequelaError):
    """The request is wrong by itself: a shape, a value, a limit."""

    @classmethod
    def at(cls, field: str, reason: str, description: str) -> InvalidInput:
        """An error about one field; the message repeats the path."""
        return cls(reason, f"{field}: {description}", violations=(Violation(field, description),))


class NotFound(SequelaError):
    """A name or digest that nobody knows."""


class AlreadyExists(SequelaError):
    """The name holds something else."""


class DoesNotFit(SequelaError):
    """Each part is fine, but model, background and sequence do not fit each other, or the model fails on
    them.
    """


class Overloaded(SequelaError):
    """The queue is full; try again after `retry_after`."""


class Unavailable(SequelaError):
    """Draining, still loading, or something it depends on is down; try again after `retry_after`."""


class OutOfTime(SequelaError):
    """The deadline leaves no room for an answer."""


class Cancelled(SequelaError):
    """The caller is gone."""


class Unsupported(SequelaError):
    """A part of the contract that this version does not implement."""


class Forbidden(SequelaError):
    """The operator switched it off, or the caller's role does not allow it."""
