"""Answers as JSON: what was asked for, or what went wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import grpc
import orjson
from starlette.responses import Response

from sequela.api.grpc.status import Failure

REQUEST_ID = "x-request-id"

CODES: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 422,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,  # the caller has left: nobody reads it but the log
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""From the codes of `rpc.status` to those of HTTP."""

TOO_LARGE = "BODY_TOO_LARGE"
FROM_PAGE = "WEB_PAGE_REFUSED"
COMPRESSED = "BODY_COMPRESSED"
OWN_CODES: Mapping[str, int] = {TOO_LARGE: 413, FROM_PAGE: 403, COMPRESSED: 415}
"""Reasons that HTTP has a better code for."""


def written(content: Any) -> bytes:
    """JSON; what is not a number is null."""
    return orjson.dumps(content)


def answer(content: bytes, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response of JSON."""
    return Response(content, status_code=code, headers=headers, media_type="application/json")


def refusal(failed: Failure, request_id: str) -> Response:
    """What the caller is told of an error: a text under `error`, as KServe has it, and beside it what machines read."""
    code = OWN_CODES.get(failed.reason) or CODES[failed.code]
    body: dict[str, Any] = {"error": failed.message, "reason": failed.reason, "request_id": request_id}
    if failed.violations:
        body["violations"] = [{"field": v.field, "description": v.description} for v in failed.violations]
    if failed.metadata:
        body["metadata"] = dict(failed.metadata)
    headers = {}
    if failed.retry_after is not None:
        body["retry_after"] = failed.retry_after
        headers["retry-after"] = str(math.ceil(failed.retry_after))
    if code == 413:
        headers["connection"] = "close"  # the rest of the body is not read
    return answer(written(body), code, headers)
