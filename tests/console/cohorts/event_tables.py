"""Reads the binary table of events, and makes the same table from the rows in plain Python."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from console.cohort_files import Row, labels_of

CLASS_BY_LABEL = {"kind": "label", "key": "outcome", "positive": "fraud"}


@dataclass(frozen=True)
class ReadTable:
    """What a browser reads: the header, and the columns."""

    header: dict[str, Any]
    sequence: Any
    weight: Any
    step: Any
    levels: Any
    classes: Any
    row: Any
    variant: Any


def read_table(content: bytes) -> ReadTable:
    """Reads the bytes column by column, as docs say that they are laid out."""
    length = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + length])
    assert (4 + length) % 8 == 0
    at = 4 + length
    columns = []
    n, s, a = header["events"], header["sequences"], len(header["attributes"])
    sizes = [("<u4", n), ("<u2", n), ("u1" if header["stepDtype"] == "uint8" else "<u2", n), ("u1", a * n)]
    for kind, count in [*sizes, ("u1", s), ("<u4", s), ("u1", s)]:
        columns.append(np.frombuffer(content, kind, count, at))
        at += -(-columns[-1].nbytes // 4) * 4
    assert at == len(content)
    sequence, weight, step, levels, classes, row, variant = columns
    return ReadTable(header, sequence, weight, step, levels.reshape(a, n), classes, row, variant)


def number(text: str) -> float | None:
    """The number in a displayed value."""
    return float(text.replace(",", "")) if text else None


def events_of(row: Row, weight: str) -> list[tuple[int, int, list[str]]]:
    """t, weight and displayed values of each event of a row, one by one."""
    if weight == "attribution":
        sizes = {each["t"]: abs(each["value"]) for each in row["events"]}
    else:
        sizes = {-place: abs(value) for place, value in enumerate(row["event_weights"])}
    largest = max(sizes.values())
    shown = {each["t"]: each["values"] for each in row["event_values"]}
    found = []
    for t in range(-(row["length"] - row["pruned_events"]) + 1, 1):
        share = sizes[t] / largest if largest else 0.0
        found.append((t, round(share * 65535), shown[t]))
    return found


def level_of(attribute: dict[str, Any], text: str) -> int:
    """The level of a displayed value, found by going through the levels one by one."""
    if not text:
        return 255
    if attribute["kind"] == "categorical":
        return attribute["levels"].index(text)
    value = number(text)
    assert value is not None
    if attribute["kind"] == "ordinal":
        return [number(each) for each in attribute["levels"]].index(value)
    edges = attribute["edges"]
    for place in range(len(edges) - 1):
        last = place == len(edges) - 2
        if edges[place] <= value and (value < edges[place + 1] or (last and value == edges[-1])):
            return place
    raise AssertionError(f"{value} is in no bin of {edges}")


def class_of(row: Row, spec: dict[str, Any]) -> int | None:
    """1 for positive, 0 for negative, None if nobody knows."""
    if spec["class"]["kind"] == "decision":
        return None if row["raw_score"] is None else int(row["raw_score"] >= spec["class"]["threshold"])
    value = labels_of(row).get(spec["class"]["key"])
    return None if value is None else int(value == spec["class"]["positive"])
