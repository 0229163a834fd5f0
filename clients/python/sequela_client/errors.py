"""What a call can fail with, by who must act: the caller, the operator, or nobody but time.

Every error the server answers becomes one of these, once, in `from_rpc`; no other part of the client looks at
status codes. Faults that the client sees by itself (a file that is not there) are `CallerError`s as well.
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

UPLOADS_DISABLED = "UPLOADS_DISABLED"
"""The reason with which an operator's switch refuses an upload."""
OPERATORS_REASONS = frozenset({UPLOADS_DISABLED, "ENDPOINT_NOT_ALLOWED", "ENDPOINT_OFF"})
"""Reasons of what an operator has switched off, or has not allowed."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with one field of the request, by its path in the contract."""

    field: str
    description: str


class SequelaError(Exception):
    """Any failure of a call. `reason`: the server's UPPER_SNAKE_CASE word, empty where it gave none."""

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
        """The message, and what it does not say yet of the fields at fault."""
        unsaid = [v for v in self.violations if v.description.rstrip("…") not in self.message]
        return "; ".join([self.message, *(f"{v.field}: {v.description}" for v in unsaid)])


class CallerError(SequelaError):
    """The request is wrong: change it. `violations` name the fields."""


class NotFound(CallerError):
    """The server knows no model, background or explanation of this name."""


class ModelOrBackgroundError(CallerError):
    """Model, background and sequence do not fit each other, or the model fails on them."""


class OperatorError(SequelaError):
    """The server refuses or is broken; its operator must act."""


class NotImplementedByServer(OperatorError):
    """The server's version has no such feature."""


class TryAgain(SequelaError):
    """The server is busy, draining or not reachable: try again, after `retry_after` seconds where given."""


class DeadlineExceeded(SequelaError):
    """The timeout was too short even for a partial answer: allow more time."""


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
        # A server that drains cancels what it cannot finish.
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


_OF_GRPC_ITSELF = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""Codes that need no server to say them."""


def from_rpc(error: grpc.RpcError, unreachable: Callable[[str], SequelaError | None]) -> SequelaError:
    """The exception for a failed call, from its code and the google.rpc details it carries.

    `unreachable`: what gRPC's own message means where no server was reached.
    """
    code, message = error.code(), error.details() or ""
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    has_info = _unpack(error, info, bad, retry)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and not has_info:
        # gRPC itself says so about a message over the limit: trying again would not help.
        return CallerError(message, reason="MESSAGE_TOO_LARGE")
    if code in _OF_GRPC_ITSELF and not has_info and (lost := unreachable(message)):
        return lost
    return _kind(code.value[0], info.reason)(
        message or code.name,
        reason=info.reason,
        violations=_violations(bad.field_violations),
        retry_after=_seconds(retry.retry_delay) if retry.HasField("retry_delay") else None,
    )


def from_item(status: pb.ItemStatus) -> SequelaError:
    """The exception for one item of a stream."""
    return _kind(status.code, status.reason)(
        status.message,
        reason=status.reason,
        violations=_violations(status.violations),
        retry_after=_seconds(status.retry_delay) if status.HasField("retry_delay") else None,
    )


def _kind(code: int, reason: str) -> type[SequelaError]:
    return OperatorError if reason in OPERATORS_REASONS else _BY_CODE.get(code, OperatorError)


def _violations(found: Iterable[Any]) -> list[Violation]:
    return [Violation(each.field, each.description) for each in found]


def _seconds(delay: Duration) -> float:
    return delay.ToTimedelta().total_seconds()


def _unpack(error: Any, *details: Message) -> bool:
    """Fills the details that the error carries; says whether it carries any."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return False
    if status is None:
        return False
    for packed in status.details:
        for detail in details:
            packed.Unpack(detail)
    return len(status.details) > 0
