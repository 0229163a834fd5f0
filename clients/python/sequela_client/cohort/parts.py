"""Writes the files of a cohort: numbered parts. Each has a temporary name until it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sequela_client.cohort import schema
from sequela_client.errors import CallerError, OperatorError

TEMPORARY = ".writing"
"""The ending of the names of files that are not complete."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts in a folder.

    Args:
        folder: the folder.
        schema: the schema with the metadata of the run.
        rows: how many rows each part has; the last one may have fewer.
    """

    folder: Path
    schema: Any
    rows: int

    def path(self, number: int) -> Path:
        """Returns the path of a part."""
        return self.folder / schema.PART_NAME.format(number)

    def present(self) -> list[int]:
        """Returns the numbers of the parts that are complete."""
        return part_numbers(self.folder)

    def write(self, number: int, batches: Iterable[Any]) -> None:
        """Writes a part. The same rows give the same bytes, however they were split into batches."""
        table = pa.Table.from_batches(list(batches), schema.SCHEMA)
        write_part(self.path(number), table, self.schema, self.rows)

    def write_all(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Fills the missing parts with batches, in order, and yields each batch before it is written."""
        numbers = _missing(self.present())
        held: list[Any] = []
        count = 0
        for batch in batches:
            yield batch
            held.append(batch)
            count += len(batch)
            while count >= self.rows:
                part, held = _split(held, self.rows)
                count -= self.rows
                self.write(next(numbers), part)
        if count:
            self.write(next(numbers), held)


def write_part(path: Path, table: Any, described: Any, rows: int) -> None:
    """Writes a file of a cohort under a temporary name, and renames it when it is complete.

    Args:
        path: its final path.
        table: its rows.
        described: the schema with the metadata of the run.
        rows: the largest number of rows in a row group.

    Raises OperatorError if it cannot be written.
    """
    # The name is unique, since two machines may write the same file at the same time if an engine repeats a task.
    writing = path.with_name(f"{path.name}.{uuid4().hex}{TEMPORARY}")
    try:
        with writing.open("wb") as file:
            pq.write_table(
                table.combine_chunks().cast(described), file, compression="zstd", row_group_size=max(1, rows)
            )
            file.flush()
            # Otherwise the new name could reach the disk before the content.
            os.fsync(file.fileno())
        replace_file(writing, path)
    except OSError as error:
        raise OperatorError(
            f"{path}: cannot be written: {error.strerror or error}; complete files are kept, and the same command "
            "continues with the others"
        ) from error


def part_numbers(folder: Path) -> list[int]:
    """Returns the numbers of the parts in a folder."""
    return sorted(int(path.stem.removeprefix("part-")) for path in folder.glob(schema.PART_PATTERN))


def _missing(present: Iterable[int]) -> Iterator[int]:
    """Yields the numbers that no part has. There is no last one."""
    held, number = set(present), 0
    while True:
        if number not in held:
            yield number
        number += 1


def _split(batches: list[Any], rows: int) -> tuple[list[Any], list[Any]]:
    """Splits batches after this many rows."""
    first: list[Any] = []
    for at, batch in enumerate(batches):
        if len(batch) > rows:
            return [*first, batch.slice(0, rows)], [batch.slice(rows), *batches[at + 1 :]]
        first.append(batch)
        rows -= len(batch)
        if not rows:
            return first, batches[at + 1 :]
    return first, []


def replace_file(writing: Path, path: Path) -> None:
    """Renames a complete file, and makes sure that the new name survives a crash of the machine."""
    writing.replace(path)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class DoneRows:
    """The keys (id and variant) of the rows that have been written.

    Only the columns of the key are read. An id takes as much memory as its text, and eight bytes more.

    Args:
        folder: the folder with the parts.
        count_failed: whether failed rows count as done.
    """

    def __init__(self, folder: Path, count_failed: bool = True) -> None:
        paths = sorted(folder.glob(schema.PART_PATTERN))
        tables = [_keys(path, count_failed) for path in paths]
        self._hold(pa.concat_tables([pa.Table.from_batches([], _KEYS), *tables]))

    def _hold(self, table: Any) -> None:
        # The rows of an id are found by bisection among sorted hashes. Ids with equal hashes are compared afterwards.
        hashes = [_hashes(chunk.to_pylist()) for chunk in table["id"].chunks]
        unsorted = np.concatenate([np.empty(0, np.int64), *hashes])
        self._order = np.argsort(unsorted, kind="stable")
        self._hashes = unsorted[self._order]
        self._table = table.combine_chunks()

    def __getstate__(self) -> Any:
        return self._table

    def __setstate__(self, table: Any) -> None:
        # Python salts the hashes of texts anew in each process.
        self._hold(table)

    def __len__(self) -> int:
        return len(self._table)

    def pending(self, ids: list[str], variants: tuple[str, ...]) -> list[list[str]] | None:
        """Returns the variants of each sequence that are not written yet; None if nothing is written.

        Args:
            ids: the ids of the sequences.
            variants: the names of all variants.
        """
        if not len(self):
            return None
        wanted = np.unique(_hashes(ids))
        starts, ends = np.searchsorted(self._hashes, wanted), np.searchsorted(self._hashes, wanted, "right")
        places = [self._order[start:end] for start, end in zip(starts, ends, strict=True) if start < end]
        there = self._table.take(pa.array(np.concatenate([np.empty(0, np.int64), *places])))
        held: dict[str, set[str]] = {}
        for id, variant in zip(there["id"].to_pylist(), there["variant"].to_pylist(), strict=True):
            held.setdefault(id, set()).add(variant)
        empty: set[str] = set()
        return [[name for name in variants if name not in held.get(id, empty)] for id in ids]


_KEYS = pa.schema([schema.SCHEMA.field(name) for name in schema.KEY])


def _hashes(ids: list[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, ids), np.int64, len(ids))


def _keys(path: Path, count_failed: bool) -> Any:
    try:
        table = pq.read_table(path, columns=[*schema.KEY, "status"])
    except (pa.ArrowException, OSError) as error:
        raise CallerError(
            f"{path}: is not a part of a cohort: {error}; if you delete it, its rows are explained again",
            reason="FILE_NOT_READABLE",
        ) from error
    if not count_failed:
        table = table.filter(pc.not_equal(table["status"], schema.FAILED))
    return table.select(list(schema.KEY)).cast(_KEYS)


def retried(parts: Parts, batches: Iterable[Any]) -> Iterator[Any]:
    """Replaces failed rows by new rows, part by part, and yields the new ones.

    Args:
        parts: the parts.
        batches: the new rows, in the order of the parts.
    """
    held: list[Any] = []
    numbers = [number for number in parts.present() if _failed(parts.path(number))]
    for batch in batches:
        yield batch
        held.append(batch)
        while numbers and sum(map(len, held)) >= (wanted := _failed(parts.path(numbers[0]))):
            new, held = _split(held, wanted)
            _replace_failed(parts, numbers.pop(0), pa.Table.from_batches(new, schema.SCHEMA))


def _failed(path: Path) -> int:
    statuses = pq.read_table(path, columns=["status"])["status"]
    return int(pc.sum(pc.equal(statuses, schema.FAILED)).as_py() or 0)


def _replace_failed(parts: Parts, number: int, new: Any) -> None:
    old = pq.read_table(parts.path(number)).cast(schema.SCHEMA)
    order = pa.array(range(len(old)))
    failed = pc.equal(old["status"], schema.FAILED)
    both = pa.concat_tables([old.filter(pc.invert(failed)), new])
    places = pa.concat_arrays(
        [order.filter(pc.invert(failed).combine_chunks()), order.filter(failed.combine_chunks())]
    )
    sorted_table = both.take(pc.sort_indices(places)).combine_chunks()
    parts.write(number, sorted_table.to_batches())


def failure_examples(folder: Path) -> Mapping[str, str]:
    """Returns the first failed row of each reason: its id, and what was wrong with it."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob(schema.PART_PATTERN)):
        failed = pq.read_table(
            path, columns=["id", "reason", "message"], filters=pc.field("status") == schema.FAILED
        )
        for reason in pc.unique(failed["reason"]).to_pylist():
            first = failed.slice(pc.index(failed["reason"], reason).as_py(), 1).to_pylist()[0]
            found.setdefault(reason, f"{first['id']}: {first['message']}")
    return found


def summary_counts(folder: Path) -> Mapping[tuple[str, str], int]:
    """Counts the rows by status and reason. The reason is empty for rows that did not fail."""
    counts: dict[tuple[str, str], int] = {}
    for path in sorted(folder.glob(schema.PART_PATTERN)):
        table = pq.read_table(path, columns=["status", "reason"])
        for row in table.group_by(["status", "reason"]).aggregate([([], "count_all")]).to_pylist():
            key = (row["status"], row["reason"] or "")
            counts[key] = counts.get(key, 0) + row["count_all"]
    return counts
