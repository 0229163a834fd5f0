"""Answers as JSON. Fields of dataclasses become camelCase, as TypeScript writes them; mappings stay as they are."""

from __future__ import annotations

from typing import Any

import orjson
from sequela_client.alert_document.json_values import json_value
from starlette.responses import Response

from sequela_console.http.errors import ApiError
from sequela_console.http.headers import page_headers


def json_response(item: Any, status: int = 200) -> Response:
    """Returns a response with JSON. NaN and infinite numbers become null."""
    return Response(orjson.dumps(json_value(item)), status_code=status, media_type="application/json")


def error_response(error: ApiError) -> Response:
    """Returns an error as a response."""
    content = {"reason": error.reason, "message": error.message}
    if error.field:
        content["field"] = error.field
    return with_headers(json_response({"error": content}, error.status))


def with_headers(response: Response) -> Response:
    """Adds the headers of answers that nobody may store, and no other site may load."""
    response.headers.update({"Cache-Control": "no-store", **page_headers()})
    return response
