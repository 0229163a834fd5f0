"""Answers as JSON. Fields of dataclasses become camelCase, as TypeScript writes them; mappings stay as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from typing import Any

import orjson
from starlette.responses import Response

from sequela_console.http.errors import ApiError
from sequela_console.http.headers import page_headers


def json_response(item: Any, status: int = 200) -> Response:
    """Returns a response with JSON. NaN and infinite numbers become null."""
    return Response(orjson.dumps(plain(item)), status_code=status, media_type="application/json")


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


def plain(item: Any) -> Any:
    """Returns dataclasses, mappings, lists, times and enums as values that JSON has."""
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return {
            camel_case(field.name): plain(getattr(item, field.name)) for field in dataclasses.fields(item)
        }
    if isinstance(item, Mapping):
        return {str(key): plain(value) for key, value in item.items()}
    if isinstance(item, tuple | list):
        return [plain(value) for value in item]
    if isinstance(item, float):
        return float(item) if isfinite(item) else None
    if isinstance(item, datetime):
        return item.astimezone(UTC).isoformat()
    return item.value if isinstance(item, Enum) else item


def camel_case(name: str) -> str:
    """Returns `event_count` as `eventCount`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
