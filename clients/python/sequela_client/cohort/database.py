"""Reads the files of a cohort with DuckDB."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from sequela_client.cohort import schema, sql
from sequela_client.errors import CallerError
from sequela_client.extras import require

# How much memory DuckDB may use before it writes intermediate results to the folder for temporary files.
MEMORY_LIMIT = "2GB"


@dataclass(frozen=True, slots=True)
class CohortFeature:
    """A feature of the model as the files describe it.

    Args:
        name: the feature's name.
        label: its name for people.
        unit: the unit of its values; empty if unknown.
    """

    name: str
    label: str
    unit: str


@dataclass(frozen=True, slots=True)
class Database:
    """The files of a cohort and the connection that reads them.

    Args:
        connection: an in-memory DuckDB, which loads no extensions and stores nothing.
        files: the parts, in order.
        question: what `explain-all` was asked, as it stands in the metadata of the files.
        features: the model's features, in the order of `event_values`.
        target: the name of the explained output.
        version: the version of Sequela that wrote the files.
    """

    connection: Any
    files: tuple[Path, ...]
    question: Mapping[str, Any]
    features: tuple[CohortFeature, ...]
    target: str
    version: str

    @classmethod
    def open(cls, paths: Iterable[str | Path]) -> Database:
        """Opens folders of parts, or single Parquet files.

        Raises:
            CallerError: there are no parts, a file is not one of a cohort, or the files explain different targets.
            CallerError: duckdb or pyarrow is not installed.
        """
        duckdb = require("duckdb", extra="cohort")
        files = tuple(file for path in paths for file in _parts(Path(path)))
        metadata = [_metadata(file) for file in files]
        _check_same_target(files, metadata)
        first = metadata[0]
        return cls(
            connection=_connected(duckdb),
            files=files,
            question=json.loads(first.get(schema.QUESTION_KEY, "{}")),
            features=_features(metadata),
            target=_target(first),
            version=first.get(schema.PACKAGE_KEY, ""),
        )

    @property
    def rows(self) -> sql.Relation:
        """All rows of all parts."""
        # A folder may have * or [ in its name, which DuckDB would take as a pattern.
        files = sql.texts(escape(str(file)) for file in self.files)
        return f"(SELECT * FROM read_parquet({files}, hive_partitioning = false))"

    def table(self, query: str) -> Any:
        """The result of a query as a pyarrow Table."""
        # With a cursor for each query, several threads can use the same cohort.
        with self.connection.cursor() as cursor:
            return cursor.sql(query).to_arrow_table()

    def position(self, feature: str) -> int | None:
        """Returns the place of a feature in the lists of displayed values, counted from 1; None if it has none."""
        names = [each.name for each in self.features]
        return names.index(feature) + 1 if feature in names else None


def _connected(duckdb: Any) -> Any:
    connection = duckdb.connect(":memory:", config=_settings())
    # Otherwise a time in a caller's condition would mean something else in each time zone.
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def _settings() -> dict[str, str]:
    """Returns settings with which DuckDB makes no network requests and keeps to its memory limit."""
    return {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(Path(tempfile.gettempdir(), "sequela-duckdb")),
        # Reports sort their rows, so DuckDB need not keep the order of the files, which takes memory.
        "preserve_insertion_order": "false",
    }


def _parts(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CallerError(f"{path} does not exist; name a folder that sequela explain-all wrote")
    if parts := sorted(path.glob(schema.PART_PATTERN)):
        return parts
    raise CallerError(f"{path} has no {schema.PART_PATTERN}; name a folder that sequela explain-all wrote")


def _metadata(file: Path) -> dict[str, str]:
    """Returns Sequela's own entries in the metadata of a file."""
    parquet, arrow = require("pyarrow.parquet", extra="cohort"), require("pyarrow", extra="cohort")
    try:
        found = schema.metadata(parquet.read_schema(file))
    except (arrow.ArrowInvalid, OSError) as error:
        raise CallerError(f"{file} is not a readable Parquet file: {error}") from None
    version = found.get(schema.VERSION_KEY)
    if version is None:
        raise CallerError(f"{file} is not a file of a cohort: its metadata has no {schema.VERSION_KEY}")
    if version != schema.VERSION:
        raise CallerError(
            f"{file} has version {version} of the cohort schema; this release reads version {schema.VERSION}"
        )
    return found


def _target(metadata: Mapping[str, str]) -> str:
    return str((json.loads(metadata.get(schema.TARGET_KEY, "null")) or {}).get("name", ""))


def _check_same_target(files: tuple[Path, ...], metadata: list[dict[str, str]]) -> None:
    """Raises CallerError if the files explain different outputs, whose attributions cannot be averaged."""
    first = _target(metadata[0])
    for file, each in zip(files, metadata, strict=True):
        if _target(each) != first:
            raise CallerError(
                f"{files[0]} explains the target {first!r} and {file} the target {_target(each)!r}; a report is about "
                "one target: open the folders one by one"
            )


def _features(metadata: list[dict[str, str]]) -> tuple[CohortFeature, ...]:
    """Returns the features, which must be the same in all files."""
    lists = {each.get(schema.FEATURES_KEY, "[]") for each in metadata}
    if len(lists) > 1:
        raise CallerError(
            "the files are about models with different features; open the folders one by one, and use compare"
        )
    return tuple(
        CohortFeature(str(each["name"]), str(each.get("label") or each["name"]), str(each.get("unit") or ""))
        for each in json.loads(lists.pop())
    )
