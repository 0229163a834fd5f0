"""Values of documents as JSON has them. Fields of dataclasses become camelCase, as TypeScript writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from typing import Any


def json_value(item: Any) -> Any:
    """Returns dataclasses, mappings, lists, times and enums as values that JSON has."""
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return {
            camel_case(field.name): json_value(getattr(item, field.name))
            for field in dataclasses.fields(item)
        }
    if isinstance(item, Mapping):
        return {str(key): json_value(value) for key, value in item.items()}
    if isinstance(item, tuple | list):
        return [json_value(value) for value in item]
    if isinstance(item, float):
        return float(item) if isfinite(item) else None
    if isinstance(item, datetime):
        return item.astimezone(UTC).isoformat()
    return item.value if isinstance(item, Enum) else item


def camel_case(name: str) -> str:
    """Returns `event_count` as `eventCount`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
