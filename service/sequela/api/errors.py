"""Translates errors for callers, with one table from error classes to gRPC and HTTP codes.

An unexpected error becomes INTERNAL and only shows the request id, under which the log has the details.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
import structlog

from sequela import errors
from sequela.errors import SequelaError, Violation

log = structlog.get_logger("sequela.api")


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of an error in gRPC and in HTTP."""

    grpc: grpc.StatusCode
    http: int


CODES: Mapping[type[SequelaError], Codes] = {
    errors.InvalidInput: Codes(grpc.StatusCode.INVALID_ARGUMENT, 400),
    errors.NotAuthenticated: Codes(grpc.StatusCode.UNAUTHENTICATED, 401),
    errors.NotPermitted: Codes(grpc.StatusCode.PERMISSION_DENIED, 403),
    errors.NotFound: Codes(grpc.StatusCode.NOT_FOUND, 404),
    errors.AlreadyExists: Codes(grpc.StatusCode.ALREADY_EXISTS, 409),
    errors.DoesNotFit: Codes(grpc.StatusCode.FAILED_PRECONDITION, 422),
    errors.Forbidden: Codes(grpc.StatusCode.FAILED_PRECONDITION, 422),
    errors.Overloaded: Codes(grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    errors.Cancelled: Codes(grpc.StatusCode.CANCELLED, 499),  # the caller is gone, so only the log shows this
    errors.Unsupported: Codes(grpc.StatusCode.UNIMPLEMENTED, 501),
    errors.Unavailable: Codes(grpc.StatusCode.UNAVAILABLE, 503),
    errors.OutOfTime: Codes(grpc.StatusCode.DEADLINE_EXCEEDED, 504),
}
INTERNAL = Codes(grpc.StatusCode.INTERNAL, 500)

ABOUT_THE_REQUEST = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)
"""The codes of errors whose message may quote values of the request, which must not be logged."""

FIELD_UNKNOWN = "FIELD_UNKNOWN"
"""The reason for fields that do not exist. Their names are texts of the caller's."""
BODY_TOO_LARGE = "BODY_TOO_LARGE"
BODY_COMPRESSED = "BODY_COMPRESSED"
WEB_PAGE_REFUSED = "WEB_PAGE_REFUSED"
HOST_REFUSED = "HOST_REFUSED"
HTTP_CODES_BY_REASON: Mapping[str, int] = {
    BODY_TOO_LARGE: 413,
    BODY_COMPRESSED: 415,
    WEB_PAGE_REFUSED: 403,
    HOST_REFUSED: 403,
}
"""Reasons for which HTTP has a more specific code than that of the error class."""

# A gRPC status is sent in HTTP/2 headers, of which peers usually accept 8 KiB. It contains the message twice: once with
# three bytes for each byte that is not ASCII, and once in base64 together with all violations. Messages can be long,
# because some contain schema entries to paste.
MAX_VIOLATIONS = 16
MAX_DESCRIPTION_LENGTH = 160
MAX_FIELD_LENGTH = 96
MAX_MESSAGE_BYTES = 1_600
MAX_VIOLATIONS_BYTES = 2_400


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it is sent to the caller, shortened to the size that fits into a status."""

    codes: Codes
    reason: str
    message: str
    violations: tuple[Violation, ...] = ()
    retry_after: float | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def log_facts(self) -> dict[str, str]:
        """What the log says about the error: the message, or only the fields that it is about."""
        if self.codes.grpc in ABOUT_THE_REQUEST:
            return {"reason": self.reason, "fields": ", ".join(self._outer_fields())}
        return {"reason": self.reason, "detail": self.message}

    def _outer_fields(self) -> dict[str, None]:
        """Returns the outermost field of each path, once. The rest of a path may hold texts of the caller's."""
        if self.reason == FIELD_UNKNOWN:
            return {}
        return dict.fromkeys(each.field.partition(".")[0].partition("[")[0] for each in self.violations)


def to_failure(error: Exception) -> Failure:
    """Returns what to send to the caller for an error. Unexpected errors are also logged."""
    # A subclass without codes of its own has those of its base class.
    codes = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if codes is None or not isinstance(error, SequelaError):
        return _internal(error)
    return Failure(
        codes,
        error.reason,
        _cut(error.message, _length_within(error.message, MAX_MESSAGE_BYTES)),
        _limit_size(error.violations),
        error.retry_after,
        tuple((key, _cut(value, MAX_DESCRIPTION_LENGTH)) for key, value in error.metadata.items()),
    )


def _internal(error: Exception) -> Failure:
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    # Only the log has the details, because they may contain data or code.
    log.error("unexpected error", exc_info=error)
    text = f"an unexpected error occurred; see the server's log for request id {request_id}"
    return Failure(INTERNAL, "INTERNAL", text, metadata=(("request_id", request_id),))


def _limit_size(violations: tuple[Violation, ...]) -> tuple[Violation, ...]:
    """Returns as many violations as fit, but at least one."""
    kept: list[Violation] = []
    left = MAX_VIOLATIONS_BYTES
    for each in violations[:MAX_VIOLATIONS]:
        short = Violation(_cut(each.field, MAX_FIELD_LENGTH), _cut(each.description, MAX_DESCRIPTION_LENGTH))
        left -= len(short.field.encode()) + len(short.description.encode())
        if kept and left < 0:
            break
        kept.append(short)
    if more := len(violations) - len(kept):
        # Callers must not take a shortened list for a complete one.
        kept[-1] = Violation(kept[-1].field, f"{kept[-1].description} (and {more} more)")
    return tuple(kept)


def _length_within(text: str, max_bytes: int) -> int:
    """Returns how many characters of a text fit into `max_bytes` bytes of a header."""
    taken = 0
    for place, character in enumerate(text):
        # gRPC percent-encodes every byte that is not printable ASCII, which takes three bytes.
        taken += 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
        if taken > max_bytes:
            return place
    return len(text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"
