"""Writes cohort files of known content, as the schema of docs/cohorts.md describes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

STRING, INT, LONG, NUMBER = pa.string(), pa.int32(), pa.int64(), pa.float64()


def struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


QUALITY = struct(
    stop_reason=STRING,
    players=INT,
    null_players=INT,
    coalitions=LONG,
    largest_standard_error=NUMBER,
    additivity_residual=NUMBER,
    estimator=STRING,
)
FIELDS: dict[str, pa.DataType] = {
    "id": STRING,
    "variant": STRING,
    "row": LONG,
    "status": STRING,
    "reason": STRING,
    "message": STRING,
    "checkpoint": STRING,
    "seed": LONG,
    "explanation": STRING,
    **dict.fromkeys(
        ["model", "model_digest", "background", "background_digest", "method_version"],
        pa.dictionary(pa.int32(), STRING),
    ),
    "target": STRING,
    **dict.fromkeys(["score", "base_value", "raw_score", "raw_base_value"], NUMBER),
    "time": pa.timestamp("us", "UTC"),
    **dict.fromkeys(["length", "full_length", "first_positive"], INT),
    "labels": pa.map_(STRING, STRING),
    "pruned_events": INT,
    "pruning": struct(
        tolerance=NUMBER,
        value=NUMBER,
        standard_error=NUMBER,
        verdict=STRING,
        scan_complete=pa.bool_(),
        curve=pa.list_(struct(t=INT, importance=NUMBER)),
    ),
    "events": pa.list_(struct(t=INT, value=NUMBER, standard_error=NUMBER)),
    "history": pa.list_(struct(first_t=INT, last_t=INT, value=NUMBER, standard_error=NUMBER)),
    "features": pa.list_(struct(feature=STRING, value=NUMBER, standard_error=NUMBER)),
    "static_value": NUMBER,
    "static_standard_error": NUMBER,
    "cells": pa.list_(struct(kind=STRING, t=INT, feature=STRING, value=NUMBER, standard_error=NUMBER)),
    "quality": struct(event=QUALITY, feature=QUALITY, cell=QUALITY),
    "cut_short": pa.bool_(),
    "warnings": pa.list_(STRING),
    "reasons": pa.list_(
        struct(template=STRING, text=STRING, feature=STRING, t=INT, value=NUMBER, standard_error=NUMBER)
    ),
    "event_weights": pa.list_(NUMBER),
    "event_values": pa.list_(struct(t=INT, values=pa.list_(STRING))),
}
SCHEMA = pa.schema(
    [pa.field(name, kind, nullable=name not in {"id", "variant"}) for name, kind in FIELDS.items()]
)


def metadata(
    features: Iterable[str] = (), target: str = "fraud", version: str = "1", **question: Any
) -> dict[str, str]:
    """The metadata of a file."""
    described = [
        {"name": each, "label": each, "unit": "", "kind": "numeric", "categories": []} for each in features
    ]
    return {
        "sequela.cohort_schema": version,
        "sequela.question": json.dumps(question),
        "sequela.features": json.dumps(described),
        "sequela.target": json.dumps({"name": target, "label": target}),
        "sequela.version": "0.1.0",
    }


def write(folder: Path, rows: list[dict[str, Any]], about: Mapping[str, str], part_rows: int = 7) -> Path:
    """Writes rows into parts of a folder."""
    write_table(folder, pa.Table.from_pylist(rows, SCHEMA), about, part_rows)
    return folder


def write_table(folder: Path, table: pa.Table, about: Mapping[str, str], part_rows: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = table.replace_schema_metadata(about)
    for part, start in enumerate(range(0, max(table.num_rows, 1), part_rows)):
        pq.write_table(table.slice(start, part_rows), folder / f"part-{part:05}.parquet", compression="zstd")


def quality(stop: str = "exact", error: float = 0.0, players: int = 5) -> dict[str, Any]:
    """The quality of a level."""
    return {
        "stop_reason": stop,
        "players": players,
        "null_players": 0,
        "coalitions": 2**players,
        "largest_standard_error": error,
        "additivity_residual": 1e-12,
        "estimator": "regression",
    }
