"""JSON responses, for results and for errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from sequela.api.errors import HTTP_CODES_BY_REASON, Failure

UNAUTHENTICATED_CODE = 401
CODES_BEFORE_THE_BODY = (UNAUTHENTICATED_CODE, 403, 413)
"""The codes of requests whose body has not been read. The connection is closed, because the body may be long."""


def to_json(content: Any) -> bytes:
    """Encodes JSON. NaN and infinity become null."""
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def json_response(content: bytes, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a response with this JSON."""
    return Response(content, status_code=code, headers=headers, media_type="application/json")


def error_response(failure: Failure, request_id: str) -> Response:
    """Returns an error response: a text under `error`, as in KServe, and machine-readable fields next to it."""
    code = HTTP_CODES_BY_REASON.get(failure.reason, failure.codes.http)
    body: dict[str, Any] = {"error": failure.message, "reason": failure.reason, "request_id": request_id}
    if failure.violations:
        body["violations"] = [
            {"field": each.field, "description": each.description} for each in failure.violations
        ]
    if failure.metadata:
        body["metadata"] = dict(failure.metadata)
    headers = {}
    if failure.retry_after is not None:
        body["retry_after"] = failure.retry_after
        # The header only allows whole seconds.
        headers["retry-after"] = str(math.ceil(failure.retry_after))
    if code == UNAUTHENTICATED_CODE:
        headers["www-authenticate"] = "Bearer"
    if code in CODES_BEFORE_THE_BODY:
        headers["connection"] = "close"
    return json_response(to_json(body), code, headers)
