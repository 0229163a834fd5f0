"""Text from others, cleaned so that it cannot control a terminal or a page that shows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


def printable(item: Any) -> Any:
    """Removes control characters and escape sequences from a text, or from all texts in a dataclass."""
    # A StrEnum is a str, too, but must stay a member of its enum.
    if type(item) is str:
        return "".join(" " if each.isspace() else each if each.isprintable() else "\ufffd" for each in item)
    if isinstance(item, Mapping):
        return {printable(key): printable(value) for key, value in item.items()}
    if isinstance(item, tuple):
        return tuple(map(printable, item))
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        fields = {field.name: printable(getattr(item, field.name)) for field in dataclasses.fields(item)}
        return dataclasses.replace(item, **fields)
    return item
