"""The one table from what can go wrong to gRPC statuses with google.rpc details.

Unary answers, streams and single items of a stream all get their status here. What nobody foresaw becomes
INTERNAL with the request's id and nothing else; the log has the rest under the same id.
"""

from __future__ import annotations

from dataclasses import dataclass

import grpc
import structlog
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from sequela_proto.v1 import sequela_pb2 as pb

from sequela import errors
from sequela.api.grpc.encode.common import duration

log = structlog.get_logger("sequela.api")

DOMAIN = "sequela.v1"

CODES: dict[type[errors.SequelaError], grpc.StatusCode] = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.DoesNotFit: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Forbidden: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.OutOfTime: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Unsupported: grpc.StatusCode.UNIMPLEMENTED,
}

# Statuses travel in HTTP/2 headers, of which peers commonly accept 8 KiB: the message once with three bytes for each
# that is not ASCII, and once in base64 with all violations. A message may hold a schema's entries to paste.
MAX_VIOLATIONS = 16
MAX_DESCRIPTION = 160
MAX_FIELD = 96
MAX_MESSAGE = 1_600
MAX_VIOLATIONS_BYTES = 2_400


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it leaves the server."""

    code: grpc.StatusCode
    reason: str
    message: str
    violations: tuple[errors.Violation, ...] = ()
    retry_after: float | None = None
    metadata: tuple[tuple[str, str], ...] = ()


def to_failure(error: Exception) -> Failure:
    """What the caller is told about an error; one that nobody foresaw is logged as well."""
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if code is None or not isinstance(error, errors.SequelaError):
        request_id = structlog.contextvars.get_contextvars().get("request_id", "")
        log.error("unexpected error", exc_info=error)
        return Failure(
            grpc.StatusCode.INTERNAL,
            "INTERNAL",
            f"an unexpected error; the server's log has it under request id {request_id}",
            metadata=(("request_id", request_id),),
        )
    return Failure(
        code,
        error.reason,
        _cut(error.message, _room(error.message, MAX_MESSAGE)),
        _bounded(error.violations),
        error.retry_after,
        tuple((key, _cut(value, MAX_DESCRIPTION)) for key, value in error.metadata.items()),
    )


def grpc_status(failed: Failure) -> grpc.Status:
    """The status of a call, with its details."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=failed.reason, domain=DOMAIN, metadata=dict(failed.metadata))
    ]
    if failed.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=each.field, description=each.description
                    )
                    for each in failed.violations
                ]
            )
        )
    if delay := _retry_delay(failed):
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=failed.code.value[0], message=failed.message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return rpc_status.to_status(status)


def item_status(failed: Failure) -> pb.ItemStatus:
    """The status of one item of a stream."""
    return pb.ItemStatus(
        code=failed.code.value[0],
        message=failed.message,
        reason=failed.reason,
        violations=[
            pb.FieldViolation(field=each.field, description=each.description) for each in failed.violations
        ],
        retry_delay=_retry_delay(failed),
        metadata=dict(failed.metadata),
    )


def _retry_delay(failed: Failure) -> Duration | None:
    return None if failed.retry_after is None else duration(failed.retry_after)


def _bounded(violations: tuple[errors.Violation, ...]) -> tuple[errors.Violation, ...]:
    """At least one, and as many as there is room for."""
    kept: list[errors.Violation] = []
    room = MAX_VIOLATIONS_BYTES
    for each in violations[:MAX_VIOLATIONS]:
        short = errors.Violation(_cut(each.field, MAX_FIELD), _cut(each.description, MAX_DESCRIPTION))
        room -= len(short.field.encode()) + len(short.description.encode())
        if kept and room < 0:
            break
        kept.append(short)
    if more := len(violations) - len(kept):
        kept[-1] = errors.Violation(kept[-1].field, f"{kept[-1].description} (and {more} more)")
    return tuple(kept)


def _room(text: str, length: int) -> int:
    """How many characters of a text take at most so many bytes of a header."""
    taken = 0
    for place, character in enumerate(text):
        taken += 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
        if taken > length:
            return place
    return len(text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"
