"""Explanations as JSON and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sequela_client.attributions import Attribution
    from sequela_client.explanation import Explanation

COLUMNS = (
    "explanation",
    "caller_id",
    "target",
    "level",
    "kind",
    "t",
    "first_t",
    "last_t",
    "feature",
    "displayed",
    "value",
    "standard_error",
    "selection_uncertain",
)
"""The header of the CSV."""


def plain(item: Any) -> Any:
    """Dataclasses, mappings, tuples and times as JSON knows them."""
    if dataclasses.is_dataclass(item):
        return {field.name: plain(getattr(item, field.name)) for field in dataclasses.fields(item)}
    if isinstance(item, Mapping):
        return {key: plain(value) for key, value in item.items()}
    if isinstance(item, tuple | list):
        return [plain(value) for value in item]
    if isinstance(item, float) and isnan(item):
        return None  # JSON has no number for what was not asked
    return item.isoformat() if isinstance(item, datetime) else item


def to_json(explanation: Explanation, indent: int | None) -> str:
    """JSON text; refuses what JSON has no number for."""
    return json.dumps(explanation.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)


def to_csv(explanation: Explanation) -> str:
    """One row for each attribution and target; numbers in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(explanation))
    return text.getvalue()


def _inert(text: str) -> str:
    """A text that a spreadsheet takes for a text, and not for a formula: event values may be an attacker's words."""
    formula = text[:1] in ("=", "@") or (text[:1] in ("+", "-") and not text[1:2].isdigit())
    return f"'{text}" if formula else text


def _rows(explanation: Explanation) -> Iterator[tuple[Any, ...]]:
    for name, level in explanation.levels.items():
        for item in level.attributions:
            for target, value, error in zip(
                explanation.targets, item.values, item.standard_errors, strict=True
            ):
                yield (
                    explanation.name,
                    _inert(explanation.caller_id),
                    _inert(target.name),
                    name,
                    item.kind.value,
                    item.t,
                    item.first_t,
                    item.last_t,
                    _inert(item.feature or ""),
                    _inert(_displayed(explanation, item)),
                    repr(value),
                    repr(error),
                    item.selection_uncertain,
                )


def _displayed(explanation: Explanation, item: Attribution) -> str:
    """A single cell's value as people read it."""
    return explanation.displayed(item.t, item.feature) if item.t is not None and item.feature else ""
