"""Writes cohort files of known content, with the columns of the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sequela_client.cohort.schema import SCHEMA


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


def write(folder: Path, rows: list[dict[str, Any]], about: Mapping[str, str], part_rows: int = 20) -> Path:
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
