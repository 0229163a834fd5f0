"""Explanations as JSON and CSV. Either file can be read without anything else."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping
from datetime import datetime
from math import isnan
from typing import Any, get_args

import numpy as np

from sequela_client.attribution_rows import COLUMNS, FROM_OTHERS, Value, rows
from sequela_client.explanation_parts import SequenceState
from sequela_client.explanation_record import ExplanationRecord
from sequela_client.options import Level
from sequela_client.tables import Table


def plain(item: Any) -> Any:
    """Dataclasses, mappings, tuples, arrays and times as values that JSON has; NaN becomes None."""
    if isinstance(item, Table):
        item = item.values
    if dataclasses.is_dataclass(item):
        return {field.name: plain(getattr(item, field.name)) for field in dataclasses.fields(item)}
    if isinstance(item, np.ndarray):
        return plain(item.tolist())
    if isinstance(item, Mapping):
        return {key: plain(value) for key, value in item.items()}
    if isinstance(item, tuple | list):
        return [plain(value) for value in item]
    if isinstance(item, float) and isnan(item):
        return None  # JSON has no NaN, which stands for a score that was not computed
    return item.isoformat() if isinstance(item, datetime) else item


def to_dict(explanation: ExplanationRecord) -> dict[str, Any]:
    """The explanation as values that JSON has; each level has the contract's key `{name}_level`."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(explanation):
        if field.name == "levels":
            values |= _levels(explanation)
        elif field.name in ("sequence", "sequence_state"):
            # Only a stored explanation has them.
            if explanation.sequence_state is not SequenceState.UNKNOWN:
                values[field.name] = plain(getattr(explanation, field.name))
        elif field.name == "reasons_by_target":
            # Each reason names its target, as in the contract.
            values["reasons"] = [
                plain(item) for each in explanation.reasons_by_target.values() for item in each
            ]
        else:
            values[field.name] = plain(getattr(explanation, field.name))
    return values


def _levels(explanation: ExplanationRecord) -> dict[str, Any]:
    """The levels, with None for those that were not asked for."""
    names = dict.fromkeys((*get_args(Level), *explanation.levels))
    return {f"{name}_level": plain(explanation.levels.get(name)) for name in names}


def to_json(explanation: ExplanationRecord, indent: int | None) -> str:
    """The explanation as JSON. Raises ValueError for an infinite number, which JSON does not have."""
    return json.dumps(to_dict(explanation), indent=indent, allow_nan=False, ensure_ascii=False)


def to_csv(explanation: ExplanationRecord) -> str:
    """A row for each attribution and target, or for each target if there are no attributions."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows(explanation):
        writer.writerow({name: _cell(name, value) for name, value in row.items()})
    return text.getvalue()


def _cell(column: str, value: Value) -> str:
    """A value as text, with numbers in full precision; empty if there is none."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return _inert(str(value)) if column in FROM_OTHERS else str(value)


def _inert(text: str) -> str:
    """The text so that a spreadsheet does not run it as a formula: values of events may come from an attacker."""
    formula = text[:1] in ("=", "@") or (text[:1] in ("+", "-") and not text[1:2].isdigit())
    # A leading apostrophe is the usual guard against formulas in CSV.
    return f"'{text}" if formula else text
