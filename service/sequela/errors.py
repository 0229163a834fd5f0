"""The errors, independent of any transport. `api.errors` has one table from these classes to status codes.

Every error has a stable `reason` in UPPER_SNAKE_CASE and a message that names the value and what is allowed. If a field
of the request is wrong, it also has the field's path in the request (`sequence.inputs[0].tensor`, `instances[0].x`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A problem with one field of the request."""

    field: str
    description: str


class SequelaError(Exception):
    """The base class of all errors that Sequela raises for its callers.

    `retry_after` is in seconds, and only set if retrying may help. `metadata` has short machine-readable details.
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
    """The request itself is invalid: a shape, a value, a limit."""

    @classmethod
    def at(cls, field: str, reason: str, description: str) -> InvalidInput:
        """Creates an error about one field. The message starts with its path."""
        return cls(reason, f"{field}: {description}", violations=(Violation(field, description),))


class NotFound(SequelaError):
    """There is nothing with this name or digest."""


class AlreadyExists(SequelaError):
    """The name is already in use for something else."""


class DoesNotFit(SequelaError):
    """Each part is valid, but model, background and sequence do not fit together, or the model fails on them."""


class Overloaded(SequelaError):
    """The queue is full. Retry after `retry_after`."""


class Unavailable(SequelaError):
    """The server is draining or loading, or a dependency is down. Retry after `retry_after`."""


class OutOfTime(SequelaError):
    """The deadline is too short for an answer."""


class Cancelled(SequelaError):
    """The caller cancelled the request or disconnected."""


class Unsupported(SequelaError):
    """The request needs a part of the contract that this version does not implement."""


class Forbidden(SequelaError):
    """The operator has disabled it, or the caller is not allowed to do it."""


class NotAuthenticated(SequelaError):
    """The caller has not shown who it is, or its token or certificate is not accepted.

    `caller` is the caller's name if it is known although it is refused, for the audit log; otherwise it is empty.
    """

    def __init__(self, reason: str, message: str, *, caller: str = "") -> None:
        super().__init__(reason, message)
        self.caller = caller


class NotPermitted(SequelaError):
    """The caller is known, but its roles do not allow this request."""
