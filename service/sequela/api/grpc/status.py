"""Encodes failures as gRPC statuses with google.rpc details, for calls and for single items of a stream."""

from __future__ import annotations

import math

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.errors import Failure
from sequela.contract.common import duration

DOMAIN = "sequela.v1"

RETRY_PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""The metadata by which gRPC libraries that retry by themselves learn how long to wait. They do not read RetryInfo."""
NO_RETRY = "-1"
"""The value that tells them not to try again. They would otherwise repeat every RESOURCE_EXHAUSTED."""


def grpc_status(failure: Failure) -> grpc.Status:
    """Encodes the status of a call, with its details."""
    status = status_pb2.Status(code=failure.codes.grpc.value[0], message=failure.message)
    for detail in _details(failure):
        # gRPC libraries of most languages can read these details.
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return rpc_status.to_status(status)


def retry_pushback(failure: Failure) -> tuple[tuple[str, str], ...]:
    """Returns the trailing metadata that tells gRPC's own retries how long to wait, or not to try again.

    It is empty where it is not needed: gRPC's retries do not repeat other codes, and wait by themselves after
    UNAVAILABLE.
    """
    if failure.retry_after is None:
        final = failure.codes.grpc is grpc.StatusCode.RESOURCE_EXHAUSTED
        return ((RETRY_PUSHBACK_KEY, NO_RETRY),) if final else ()
    return ((RETRY_PUSHBACK_KEY, str(math.ceil(failure.retry_after * 1000))),)


def item_status(failure: Failure) -> pb.ItemStatus:
    """Encodes the status of one item of a stream."""
    return pb.ItemStatus(
        code=failure.codes.grpc.value[0],
        message=failure.message,
        reason=failure.reason,
        violations=[
            pb.FieldViolation(field=each.field, description=each.description) for each in failure.violations
        ],
        retry_delay=_retry_delay(failure),
        metadata=dict(failure.metadata),
    )


def _details(failure: Failure) -> list[Message]:
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=failure.reason, domain=DOMAIN, metadata=dict(failure.metadata))
    ]
    if failure.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=each.field, description=each.description)
            for each in failure.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if delay := _retry_delay(failure):
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return details


def _retry_delay(failure: Failure) -> Duration | None:
    return None if failure.retry_after is None else duration(failure.retry_after)
