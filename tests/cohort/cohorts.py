"""Bulk explanations of small data by a running server, and the rows that they give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sequela_client.cohort import BulkQuestion, RunOptions
from sequela_client.cohort.run import RunSummary, run

Row = dict[str, Any]
FEW = {"max_coalitions": 256, "levels": ("event", "feature")}


def explained(data: Any, out: Path, server: str, question: BulkQuestion, **options: Any) -> RunSummary:
    """Explains files into a folder through this server."""
    return run(data, out, question, RunOptions((server,), **options), lambda _: None)


def rows(out: Path) -> list[Row]:
    """All rows of a cohort, part by part."""
    return [row for path in sorted(out.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]


def digests(out: Path) -> dict[str, str]:
    """The content of every file of a folder that is not a lock."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.iterdir())
        if path.name != "_lock"
    }


def accounts(count: int, seed: int = 0) -> pd.DataFrame:
    """Events of accounts with two features, in order; the times of an account may repeat."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, count)
    owners = np.repeat([f"a{number:03d}" for number in range(count)], lengths)
    return pd.DataFrame(
        {
            "account": owners,
            "when": pd.Timestamp("2026-01-01")
            + pd.to_timedelta(np.concatenate([np.sort(rng.integers(0, 5, n)) for n in lengths]), "h"),
            "amount": rng.normal(size=len(owners)),
            "hour": rng.integers(0, 24, len(owners)),
            "fraud": np.repeat(rng.integers(0, 2, count).astype(bool), lengths),
        }
    )


def sequences_of(events: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The events of each account by pandas, which sorts by time and keeps the order of equal times."""
    return {
        str(owner): group.sort_values("when", kind="stable") for owner, group in events.groupby("account")
    }


def nested(events: pd.DataFrame) -> pa.Table:
    """One row for each account, with lists."""
    groups = sequences_of(events)
    columns = {
        name: [group[name].tolist() for group in groups.values()] for name in ("amount", "hour", "when")
    }
    fraud = [bool(group["fraud"].iloc[-1]) for group in groups.values()]
    return pa.table({"account": list(groups), **columns, "fraud": fraud})


def in_batches(table: pa.Table, sizes: Iterable[int]) -> list[pa.RecordBatch]:
    """The rows in batches of these sizes."""
    found, start = [], 0
    for size in sizes:
        found += table.slice(start, size).combine_chunks().to_batches()
        start += size
    return found
