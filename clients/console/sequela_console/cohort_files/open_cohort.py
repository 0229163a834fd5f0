"""A cohort whose files are open: its rows, its features, and the answers that were computed from them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from sequela_client.cohort import sql
from sequela_client.cohort.database import Database
from sequela_client.cohort.dataset import Cohort

from sequela_console.cohort_files.answer_cache import AnswerCache
from sequela_console.cohort_files.feature_schema import (
    CohortFeatureInfo,
    CohortTarget,
    features_of,
    target_of,
)

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of each file."""

# Answers of one cohort that are kept: tables of events take about 24 bytes an event, reports some kilobytes.
CACHE_BYTES = 256 * 2**20
_BYTES_OF_NAMES = 1000
# More queries at once would be slower for all, and each may take memory.
_QUERIES = threading.BoundedSemaphore(2)


# Files are compressed, and take about five times as much in memory.
MOST_BYTES_IN_MEMORY = 100 * 2**20
_TABLE = "cohort_rows"


@dataclass(frozen=True, slots=True)
class LoadedDatabase(Database):
    """The files of a cohort, whose rows are a table in the memory of the connection."""

    @property
    def rows(self) -> sql.Relation:
        """All rows of all parts."""
        return f"(SELECT * FROM {_TABLE})"


@dataclass(frozen=True, slots=True)
class OpenCohort:
    """A cohort.

    Args:
        name: what the pages call it.
        stamp: name, size and time of each file when it was opened.
        rows: its rows, from which reports are made.
        features: the model's features, in the order of the displayed values.
        target: the explained output.
        cache: what was computed from it.
    """

    name: str
    stamp: Stamp
    rows: Cohort
    features: tuple[CohortFeatureInfo, ...]
    target: CohortTarget
    cache: AnswerCache = field(default_factory=lambda: AnswerCache(CACHE_BYTES))

    @classmethod
    def read(cls, name: str, folder: Path, stamp: Stamp, readable: Iterable[Path]) -> Self:
        """Opens a folder.

        Args:
            name: what the pages call it.
            folder: the folder.
            stamp: name, size and time of each of its files.
            readable: the folders that its queries may read.

        Raises:
            CallerError: it has no cohort that can be read.
        """
        cohort = Cohort.open(folder.resolve())
        first = cohort.database.files[0]
        _close_other_files(cohort, readable)
        return cls(name, stamp, cohort, features_of(first), target_of(first))

    def in_memory(self) -> Self:
        """Returns the same cohort with its rows in memory, where queries are several times as fast, if it is small."""
        if sum(size for _, size, _ in self.stamp) > MOST_BYTES_IN_MEMORY:
            return self
        held = self.rows.database
        held.connection.execute(f"CREATE TABLE {_TABLE} AS SELECT * FROM {held.rows}")
        loaded = LoadedDatabase(**{each.name: getattr(held, each.name) for each in fields(held)})
        return replace(self, rows=replace(self.rows, database=loaded))

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of its variants; one empty name if nothing is varied."""
        found: tuple[str, ...] = self.cache.get(
            "variants", lambda: tuple(self.rows.variants()), lambda _: _BYTES_OF_NAMES
        )
        return found

    def query(self, query: str, values: Iterable[Any] = ()) -> Any:
        """Returns the result of a query as a pyarrow Table.

        Args:
            query: SQL, with `?` where values belong.
            values: these values, which DuckDB binds; nothing that a browser sent is ever part of the SQL.
        """
        with one_of_few(), self.rows.database.connection.cursor() as cursor:
            return cursor.sql(query, params=list(values)).to_arrow_table()


@contextmanager
def one_of_few() -> Iterator[None]:
    """Waits until fewer than two others compute, so that many visitors cannot take all memory."""
    with _QUERIES:
        yield


def _close_other_files(cohort: Cohort, folders: Iterable[Path]) -> None:
    """Forbids DuckDB to read or write anything but these folders and its own temporary files."""
    connection = cohort.database.connection
    connection.execute(f"SET allowed_directories = {sql.texts(str(each.resolve()) for each in folders)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
