"""Reads sequences from files, in batches with one row for each sequence."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from sequela_client.cohort.question import BulkQuestion
from sequela_client.cohort.sources.arrays import open_arrays
from sequela_client.cohort.sources.events import EventTable
from sequela_client.cohort.sources.scan import Memory, open_scan
from sequela_client.cohort.sources.sequence_rows import SequenceTable
from sequela_client.errors import CallerError

__all__ = ["Memory", "SequenceSource", "open_source"]


class SequenceSource(Protocol):
    """Sequences that are read from files."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""

    def count(self) -> int:
        """Returns the number of sequences."""

    def first(self, column: str) -> str | None:
        """Returns a value of a column that is not missing; None if there is none."""

    def batches(self, wanted: Sequence[str], rows: int) -> Iterator[Any]:
        """Yields RecordBatches of at most `rows` sequences, with the wanted columns and some of `batches.OWN`."""


def open_source(
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], question: BulkQuestion, memory: Memory
) -> SequenceSource:
    """Opens files of sequences.

    Args:
        data: a path, several, or a pattern with *: Parquet or CSV files, a folder of Parquet files, an .npy or .npz
            file.
        question: says whether there is one row for each event, and what the columns are.
        memory: the limits of memory for sorting.

    Raises:
        CallerError: FILE_NOT_READABLE, ARGUMENT_INVALID.
    """
    if hasattr(data, "columns") or hasattr(data, "column_names"):
        text = (
            f"data: it is a {type(data).__name__}, not the path of a file; write it to one, as in "
            'frame.to_parquet("events.parquet")'
        )
        raise CallerError(text, reason="ARGUMENT_INVALID")
    paths = [os.fspath(data)] if isinstance(data, str | os.PathLike) else [os.fspath(each) for each in data]
    if Path(paths[0]).suffix.lower() in (".npy", ".npz"):
        if len(paths) > 1 or question.entity:
            text = (
                f"{paths[0]}: arrays must be in one file, with one row for each sequence (without --entity)"
            )
            raise CallerError(text, reason="ARGUMENT_INVALID")
        return open_arrays(paths[0], question.id)
    scan = open_scan(paths, memory, question.encoding)
    if question.entity:
        return EventTable(scan, question.entity, question.time)
    return SequenceTable(scan, question.id, question.time, question.decimal or ".")
