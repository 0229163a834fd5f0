"""Reads Parquet and CSV files with DuckDB, which sorts on disk if the memory limit is reached."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

import duckdb

from sequela_client.cohort.sources.csv_copies import utf8_copies
from sequela_client.cohort.sources.csv_faults import csv_fault
from sequela_client.cohort.sources.csv_text import csv_options
from sequela_client.errors import CallerError

_FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}
_PACKED = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Memory:
    """How much memory sorting may use.

    Args:
        limit: as DuckDB writes it, such as "512MB".
        folder: where it writes what does not fit; None: a temporary folder, which is removed afterwards.
    """

    limit: str = "512MB"
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """Files of one kind as a table of DuckDB.

    Args:
        paths: the files, in their order.
        kind: parquet or csv.
        memory: the limits.
        options: how CSV files are written, as arguments of read_csv.
    """

    paths: tuple[str, ...]
    kind: str
    memory: Memory
    options: str = ""

    @property
    def sql(self) -> str:
        """The table as SQL for the FROM of a query. Cells of a CSV file are texts."""
        files = ", ".join(map(text_literal, self.paths))
        if self.kind == "parquet":
            return f"read_parquet([{files}], union_by_name = true)"
        return f"read_csv([{files}], {self.options})"

    @contextmanager
    def connect(self) -> Iterator[Any]:
        """Opens a database in memory with the limits."""
        with tempfile.TemporaryDirectory(prefix="sequela-", dir=self.memory.folder) as folder:
            connection = duckdb.connect(":memory:")
            try:
                self._set(connection, folder)
                yield connection
            finally:
                connection.close()

    def _set(self, connection: Any, folder: str) -> None:
        try:
            connection.execute(f"SET memory_limit = {text_literal(self.memory.limit)}")
        except duckdb.Error as error:
            raise CallerError(f"memory: {self.memory.limit!r}: {error}", reason="ARGUMENT_INVALID") from error
        connection.execute(f"SET temp_directory = {text_literal(folder)}")
        connection.execute("SET TimeZone = 'UTC'")
        # In a notebook without widgets, DuckDB has no progress bar, and raises an error if it is switched off.
        with suppress(duckdb.InvalidInputException):
            connection.execute("SET enable_progress_bar = false")
        connection.execute("SET preserve_insertion_order = true")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a small result."""
        with self.connect() as connection, self.refusing():
            rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
            return rows

    def batches(self, sql: str, rows: int) -> Iterator[Any]:
        """Yields a result as RecordBatches. They are read one by one."""
        with self.connect() as connection, self.refusing():
            yield from connection.sql(sql).to_arrow_reader(rows)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Turns DuckDB's errors about the files into errors of the client."""
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            text = f"{self.memory.limit} of memory are not enough for sorting: {_first_line(error)}"
            raise CallerError(f"{text}; allow more (--memory)", reason="MEMORY_LIMIT") from error
        except duckdb.Error as error:
            path = self.paths[0]
            named = f"{Path(path).name}: {_first_line(error)}"
            text = csv_fault(error, path) if self.kind == "csv" else named
            raise CallerError(text, reason="FILE_NOT_READABLE") from error

    def columns(self) -> dict[str, str]:
        """The names of the columns, with DuckDB's names of their types."""
        return {row[0]: row[1] for row in self.query(f"DESCRIBE SELECT * FROM {self.sql}")}

    def first(self, column: str) -> str | None:
        """Returns a value of a column that is not missing, as text; None if there is none."""
        name = name_literal(column)
        sql = f"SELECT CAST({name} AS VARCHAR) FROM {self.sql} WHERE {name} IS NOT NULL LIMIT 1"
        found = self.query(sql)
        return str(found[0][0]) if found else None


def open_scan(paths: Sequence[str], memory: Memory, encoding: str | None = None) -> Scan:
    """Finds the files at these paths.

    Args:
        paths: files, folders of Parquet files, or patterns with *.
        memory: the limits of memory.
        encoding: that of CSV files; None: UTF-8. Files in another one are copied.

    Raises:
        CallerError: there are none, they are of different kinds, not in this encoding, or empty CSV files.
    """
    found = [each for path in paths for each in _files(path)]
    kinds = {kind_of(each) for each in found}
    if len(kinds) != 1 or None in kinds:
        names = ", ".join(found[:3]) or ", ".join(paths)
        raise CallerError(
            f"{names}: no files of one of these kinds: {', '.join(sorted(_FORMATS))}, .npy, .npz",
            reason="FILE_NOT_READABLE",
        )
    kind = str(kinds.pop())
    if kind != "csv":
        return Scan(tuple(found), kind, memory)
    if encoding is not None:
        found = utf8_copies(found, encoding, memory.folder)
    # DuckDB would give a file without a header a column of its own.
    filled = [each for each in found if Path(each).stat().st_size]
    if not filled:
        raise CallerError(f"{Path(found[0]).name}: is empty", reason="FILE_NOT_READABLE")
    return Scan(tuple(filled), kind, memory, csv_options(filled[0]))


def kind_of(path: str) -> str | None:
    """Returns the kind of a file by the ending of its name; None if it is of no known kind."""
    name = Path(path)
    suffix = name.with_suffix("").suffix if name.suffix in _PACKED else name.suffix
    return _FORMATS.get(suffix.lower())


def _files(path: str) -> list[str]:
    if Path(path).is_dir():
        return sorted(map(str, Path(path).glob("*.parquet")))
    return [path] if Path(path).is_file() else sorted(glob(path))


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def name_literal(name: str) -> str:
    """Returns the name of a column in SQL."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """Returns a text in SQL."""
    return "'" + text.replace("'", "''") + "'"
