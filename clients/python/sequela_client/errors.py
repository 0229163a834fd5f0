"""The exceptions of the client. Their classes say who has to act: the caller, the operator, or nobody yet (try again).

`from_rpc` and `from_item` translate all errors that a server returns; no other part of the client looks at status
codes. Mistakes that the client itself finds, such as a missing file, are `CallerError`s too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.argument_names import argument_of, with_arguments

# For these reasons the client itself acts: it sends the content that the server does not have.
MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
BACKGROUND_NOT_FOUND = "BACKGROUND_NOT_FOUND"
UPLOADS_DISABLED = "UPLOADS_DISABLED"

# Reasons of errors that only the operator can resolve, whatever their status code.
OPERATORS_REASONS = frozenset({UPLOADS_DISABLED, "ENDPOINT_NOT_ALLOWED", "ENDPOINT_OFF"})


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with one argument.

    Args:
        field: the argument as it is written in Python, such as `seed` or `sequence['amounts']`.
        description: what is wrong with it, and what is allowed.
    """

    field: str
    description: str


class SequelaError(Exception):
    """The base of everything that the client raises on purpose.

    Args:
        message: what is wrong, where, and what to do.
        reason: a stable UPPER_SNAKE_CASE code for programs; empty if the server gave none.
        violations: the arguments at fault and what is wrong with each, if the server said so.
        retry_after: seconds after which trying again may help; None if the server did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        violations: Iterable[Violation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_after = retry_after

    def __str__(self) -> str:
        """The message, followed by those violations that it does not mention."""
        # The server shortens long descriptions in its message, and ends them with an ellipsis.
        unsaid = [v for v in self.violations if v.description.rstrip("…") not in self.message]
        return "; ".join([self.message, *(f"{v.field}: {v.description}" for v in unsaid)])


class CallerError(SequelaError):
    """The request is wrong and must be changed. `violations` name the arguments."""


class NotFound(CallerError):
    """The server has no model, background or explanation of this name."""


class ModelOrBackgroundError(CallerError):
    """The model, the background and the sequence do not fit each other, or the model fails on them."""


class OperatorError(SequelaError):
    """The server refuses the call or is broken; its operator has to act."""


class NotImplementedByServer(OperatorError):
    """The server's version does not have this feature."""


class TryAgain(SequelaError):
    """The server is busy, shutting down or cannot be reached. Try again, after `retry_after` seconds if given."""


class DeadlineExceeded(SequelaError):
    """The timeout was too short even for a partial answer. Allow more time."""


_BY_CODE: dict[int, type[SequelaError]] = {
    code.value[0]: error
    for error, codes in {
        CallerError: (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.OUT_OF_RANGE,
            grpc.StatusCode.ALREADY_EXISTS,
        ),
        NotFound: (grpc.StatusCode.NOT_FOUND,),
        ModelOrBackgroundError: (grpc.StatusCode.FAILED_PRECONDITION,),
        NotImplementedByServer: (grpc.StatusCode.UNIMPLEMENTED,),
        # A server that shuts down cancels what it cannot finish, so CANCELLED is one of these.
        TryAgain: (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.ABORTED,
            grpc.StatusCode.CANCELLED,
        ),
        DeadlineExceeded: (grpc.StatusCode.DEADLINE_EXCEEDED,),
    }.items()
    for code in codes
}


# The codes that gRPC itself reports if it could not reach a server.
_CODES_OF_GRPC = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def from_rpc(
    error: grpc.RpcError, unreachable: Callable[[str], SequelaError | None], request: Any = None
) -> SequelaError:
    """Returns the exception for a failed call, from its code and the google.rpc details that it carries.

    Args:
        error: what gRPC raised.
        unreachable: makes the exception from gRPC's own message if no server was reached.
        request: the message, or the list of messages, that was sent; fields are named by its arguments.
    """
    code, message = error.code(), error.details() or ""
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    has_info = _unpack(error, info, bad, retry)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and not has_info:
        # gRPC itself reports a message over the limit with this code. Trying again would not help.
        return CallerError(message, reason="MESSAGE_TOO_LARGE")
    if code in _CODES_OF_GRPC and not has_info and (lost := unreachable(message)):
        return lost
    return _error(code.value[0], info.reason)(
        with_arguments(message or code.name, [each.field for each in bad.field_violations], request),
        reason=info.reason,
        violations=_violations(bad.field_violations, request),
        retry_after=_seconds(retry.retry_delay) if retry.HasField("retry_delay") else None,
    )


def from_item(status: pb.ItemStatus, request: Any = None) -> SequelaError:
    """Returns the exception for one item of a stream. It names the arguments of `request`, the item's message."""
    return _error(status.code, status.reason)(
        with_arguments(status.message, [each.field for each in status.violations], request),
        reason=status.reason,
        violations=_violations(status.violations, request),
        retry_after=_seconds(status.retry_delay) if status.HasField("retry_delay") else None,
    )


def _error(code: int, reason: str) -> type[SequelaError]:
    return OperatorError if reason in OPERATORS_REASONS else _BY_CODE.get(code, OperatorError)


def _violations(found: Iterable[Any], request: Any) -> list[Violation]:
    violations, paths = list(found), [each.field for each in found]
    return [
        Violation(argument_of(each.field, request), with_arguments(each.description, paths, request))
        for each in violations
    ]


def _seconds(delay: Duration) -> float:
    return delay.ToTimedelta().total_seconds()


def _unpack(error: Any, *details: Message) -> bool:
    """Fills in the details that the error carries, and returns whether it carries any."""
    try:
        # It raises ValueError if the code of the details differs from that of the call.
        status = rpc_status.from_call(error)
    except ValueError:
        return False
    if status is None:
        return False
    for packed in status.details:
        for detail in details:
            packed.Unpack(detail)
    return len(status.details) > 0
