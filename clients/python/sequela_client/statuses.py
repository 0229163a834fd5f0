"""Translates the errors that a server returns to exceptions. No other part of the client looks at status codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.argument_names import argument_of, with_arguments
from sequela_client.errors import (
    OPERATORS_REASONS,
    AuthenticationError,
    CallerError,
    CredentialsMissing,
    CredentialsRevoked,
    DeadlineExceeded,
    IdentityUnknown,
    ModelOrBackgroundError,
    NotFound,
    NotImplementedByServer,
    OperatorError,
    PermissionDenied,
    SequelaError,
    TimeSpentWaiting,
    TokenExpired,
    TokenRefused,
    TryAgain,
    Unavailable,
    Violation,
)

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
        AuthenticationError: (grpc.StatusCode.UNAUTHENTICATED,),
        PermissionDenied: (grpc.StatusCode.PERMISSION_DENIED,),
        TryAgain: (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED),
        # A server that shuts down cancels what it cannot finish.
        Unavailable: (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED),
        DeadlineExceeded: (grpc.StatusCode.DEADLINE_EXCEEDED,),
    }.items()
    for code in codes
}


# A reason says more than its code.
_BY_REASON: dict[str, type[SequelaError]] = {
    **dict.fromkeys(OPERATORS_REASONS, OperatorError),
    "DEADLINE_SPENT_WAITING": TimeSpentWaiting,
    "CREDENTIALS_MISSING": CredentialsMissing,
    "TOKEN_UNKNOWN": TokenRefused,
    "TOKEN_EXPIRED": TokenExpired,
    "IDENTITY_UNKNOWN": IdentityUnknown,
    "CALLER_REVOKED": CredentialsRevoked,
}

# What the caller can do. The server does not know how its clients are given their tokens.
_ADVICE: dict[type[SequelaError], str] = {
    CredentialsMissing: "name the file with your token with --token-file FILE (token_file= in Python), or your "
    "certificate with --cert FILE and --key FILE (certificate= and key=)",
    TokenRefused: "check that --token-file (token_file= in Python) names the file of this server's token, or ask its "
    "operator for a new one",
    TokenExpired: "write a new one to the file of --token-file (token_file= in Python), which is read for every call",
    AuthenticationError: "identify yourself with --token-file FILE, or with --cert FILE and --key FILE (token_file=, "
    "certificate= and key= in Python)",
}

_PRESENT_CERTIFICATE = (
    "present your certificate with --cert FILE and --key FILE (certificate= and key= in Python)"
)
# What the server advises clients of any kind.
_ADVICE_OF_SERVER = re.compile(
    r": (send a token as `authorization: Bearer TOKEN`|(, or )?connect with a client certificate)+$"
    r"|; (use|get) a new one( from the identity provider)?$"
)

# What grpc.aio reports if a stream ended while one of its messages was being sent; the reason is then not known.
_BROKEN_STREAM = "Internal error from Core"

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
    if code is grpc.StatusCode.INTERNAL and not has_info and message == _BROKEN_STREAM:
        return Unavailable("the server ended the stream while a message was sent", reason="STREAM_ENDED")
    if code in _CODES_OF_GRPC and not has_info and (lost := unreachable(message)):
        return lost
    kind = _error(code.value[0], info.reason)
    return kind(
        _advised(
            kind, with_arguments(message or code.name, [each.field for each in bad.field_violations], request)
        ),
        reason=info.reason,
        violations=_violations(bad.field_violations, request),
        retry_after=_seconds(retry.retry_delay) if retry.HasField("retry_delay") else None,
    )


def from_item(status: pb.ItemStatus, request: Any = None) -> SequelaError:
    """Returns the exception for one item of a stream. It names the arguments of `request`, the item's message."""
    kind = _error(status.code, status.reason)
    return kind(
        _advised(kind, with_arguments(status.message, [each.field for each in status.violations], request)),
        reason=status.reason,
        violations=_violations(status.violations, request),
        retry_after=_seconds(status.retry_delay) if status.HasField("retry_delay") else None,
    )


def _error(code: int, reason: str) -> type[SequelaError]:
    return _BY_REASON.get(reason) or _BY_CODE.get(code, OperatorError)


def _advised(kind: type[SequelaError], message: str) -> str:
    """The message with what the caller can do about credentials, instead of the server's advice to all clients."""
    if kind not in _ADVICE:
        return message
    given = _ADVICE_OF_SERVER.search(message)
    by_certificate_only = given is not None and "token" not in given[0] and "certificate" in given[0]
    advice = _PRESENT_CERTIFICATE if by_certificate_only else _ADVICE[kind]
    return f"{_ADVICE_OF_SERVER.sub('', message)}; {advice}"


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
