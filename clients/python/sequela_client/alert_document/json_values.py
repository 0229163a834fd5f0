"""Values of documents as JSON has them. Fields of dataclasses become camelCase, as TypeScript writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any

# Nearly all values of a document, which has thousands: they need none of the slower checks below.
_PLAIN = frozenset({str, int, bool, type(None)})


def json_value(item: Any) -> Any:
    """Returns dataclasses, mappings, lists, times and enums as values that JSON has."""
    if type(item) in _PLAIN:
        return item
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return {shown: json_value(getattr(item, name)) for name, shown in _names(type(item))}
    if isinstance(item, Mapping):
        return {str(key): json_value(value) for key, value in item.items()}
    if isinstance(item, tuple | list):
        return [json_value(value) for value in item]
    return _single(item)


@cache
def _names(kind: type) -> tuple[tuple[str, str], ...]:
    """Returns the names of a dataclass's fields, in Python and in JSON."""
    return tuple((each.name, camel_case(each.name)) for each in dataclasses.fields(kind))


def _single(item: Any) -> Any:
    if isinstance(item, float):
        return float(item) if isfinite(item) else None
    if isinstance(item, datetime):
        return item.astimezone(UTC).isoformat()
    return item.value if isinstance(item, Enum) else item


def camel_case(name: str) -> str:
    """Returns `event_count` as `eventCount`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
