"""Explains sequences on Spark. It needs the extra `spark`, and Java."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sequela_client.cohort import schema
from sequela_client.cohort.batches import ROW
from sequela_client.cohort.columns import check_columns
from sequela_client.cohort.engine import PART_ROWS, EngineExplainer, EngineFolder, engine_run
from sequela_client.cohort.question import BulkQuestion
from sequela_client.cohort.run import RunSummary, named_columns, run_summary
from sequela_client.cohort.servers import addresses_of
from sequela_client.credentials import Credentials
from sequela_client.errors import CallerError
from sequela_client.extras import require

require("pyspark", extra="spark")

from pyspark import TaskContext  # noqa: E402 only after the check above
from pyspark.sql import Window  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402, N812 its usual name
from pyspark.sql.pandas.types import from_arrow_schema  # noqa: E402

_EVENTS, _KEY, _COUNT = "sequela_events", "sequela_key", "sequela_count"


def explain_frame(
    question: BulkQuestion,
    frame: Any,
    *,
    servers: Sequence[str] = (),
    credentials: Credentials | None = None,
) -> Any:
    """Explains the sequences of a DataFrame. Nothing is computed before the result is read or written.

    Args:
        question: what is asked, with the column of the entities or of the ids.
        frame: the events in any order, or one row for each sequence, with the columns that are needed.
        servers: addresses of running servers; empty: every Python worker starts a local one.
        credentials: how to reach them safely. Files are read by the workers, on their machines. A token must be in a
            file (`token_file`), since tasks would hold it otherwise.

    Returns:
        A DataFrame of the columns of a cohort, in no order.

    Raises:
        CallerError: the question names a column that the frame lacks, or events have no time.
    """
    found = _sequences(question, frame)
    function = _Explain(EngineExplainer(question, addresses_of(servers), credentials))
    return _mapped(found, function, from_arrow_schema(schema.SCHEMA))


def explain_into(
    question: BulkQuestion,
    frame: Any,
    out: str | os.PathLike[str],
    *,
    servers: Sequence[str] = (),
    credentials: Credentials | None = None,
    partitions: int | None = None,
    part_rows: int = PART_ROWS,
) -> RunSummary:
    """Explains the sequences of a DataFrame into the folder of a cohort, and continues an earlier run.

    Args:
        question: what is asked, with the column of the entities or of the ids.
        frame: the events in any order, or one row for each sequence, with the columns that are needed.
        out: the folder, which has the same path on all machines.
        servers: addresses of running servers; empty: every Python worker starts a local one.
        credentials: how to reach them safely. Files are read by the workers, on their machines. A token must be in a
            file (`token_file`), since tasks would hold it otherwise.
        partitions: how many tasks explain; None: `spark.sql.shuffle.partitions`.
        part_rows: about how many rows each file has at most.

    Returns:
        What was done.

    Raises:
        CallerError: the model or the question is wrong, or the folder has something else.
    """
    started = time.monotonic()
    found = _sequences(question, frame)
    with engine_run(question, out, servers, credentials, _first(frame)) as (explainer, folder):
        number = partitions or int(frame.sparkSession.conf.get("spark.sql.shuffle.partitions"))
        # Sorted, the rows of a task have the same order in a second attempt, which then writes the same files.
        spread = found.repartition(number, _column(ROW)).sortWithinPartitions(_column(ROW))
        written = _mapped(spread, _Write(explainer, folder, max(1, part_rows)), "part string, rows long")
        added = sum(row["rows"] for row in written.collect())
        return run_summary(folder.path, added, time.monotonic() - started)


Function = Callable[[Iterable[Any]], Iterator[Any]]


def _mapped(frame: Any, function: Function, result: Any) -> Any:
    """Calls `mapInArrow`, which refuses column names with dots, with other names for the columns."""
    plain = frame.toDF(*(f"column{number}" for number in range(len(frame.columns))))
    return plain.mapInArrow(_Named(tuple(frame.columns), function), result)


@dataclass(frozen=True, slots=True)
class _Named:
    """Gives the columns their own names again."""

    names: tuple[str, ...]
    function: Function

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        return self.function(batch.rename_columns(list(self.names)) for batch in batches)


@dataclass(frozen=True, slots=True)
class _Explain:
    """The function for `mapInArrow` that explains batches."""

    explainer: EngineExplainer

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        return self.explainer(batches)


@dataclass(frozen=True, slots=True)
class _Write:
    """The function for `mapInArrow` that explains batches, writes the rows, and returns the names of the files."""

    explainer: EngineExplainer
    folder: EngineFolder
    rows: int

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        context = TaskContext.get()
        assert context is not None
        for name, rows in self.folder.write_all(self.explainer(batches), context.partitionId(), self.rows):
            yield pa.RecordBatch.from_pydict({"part": [name], "rows": [rows]})


def _sequences(question: BulkQuestion, frame: Any) -> Any:
    """Returns one row for each sequence, with its position among the sorted ids."""
    check_columns(frame.columns, named_columns(question))
    if question.id_column is None:
        raise CallerError(
            "id: Spark does not keep the order of rows; name the column of the ids or of the entities",
            reason="ARGUMENT_INVALID",
        )
    if question.entity is None:
        return frame if ROW in frame.columns else _numbered(frame, question.id_column, unique=True)
    if question.time is None:
        raise CallerError(
            "time: Spark does not keep the order of rows; name the column with the times of the events",
            reason="ARGUMENT_INVALID",
        )
    return _numbered(_grouped(frame, question.entity, question.time), question.entity, unique=False)


def _grouped(frame: Any, entity: str, time: str) -> Any:
    """Returns the events of each entity as lists, sorted by time, and by their values if the time is the same."""
    names = [time, *(name for name in frame.columns if name not in (time, entity))]
    event = F.struct(*(_column(name) for name in names))
    grouped = frame.groupBy(_column(entity)).agg(F.array_sort(F.collect_list(event)).alias(_EVENTS))
    lists = [F.col(_EVENTS).getField(name).alias(name) for name in names]
    return grouped.select(_column(entity), *lists)


def _numbered(frame: Any, id: str, unique: bool) -> Any:
    keys = frame.groupBy(_column(id).alias(_KEY)).agg(F.count(F.lit(1)).alias(_COUNT))
    # One task sorts the ids of all sequences. They are small beside the events.
    order = Window.orderBy(F.col(_KEY).asc_nulls_last())
    position = (F.row_number().over(order) - 1).cast("long")
    if unique:
        text = F.concat(F.lit(f"column {id!r}: the id is missing or repeated: "), F.col(_KEY).cast("string"))
        position = F.when(F.col(_COUNT) == 1, position).otherwise(F.raise_error(text).cast("long"))
    numbered = keys.select(_KEY, position.alias(ROW))
    return frame.join(numbered, _column(id).eqNullSafe(F.col(_KEY))).drop(_KEY)


def _column(name: str) -> Any:
    """Returns a column whose name may have dots."""
    return F.col("`" + name.replace("`", "``") + "`")


def _first(frame: Any) -> Any:
    def first(name: str) -> str | None:
        found = frame.select(_column(name).cast("string")).where(_column(name).isNotNull()).first()
        return None if found is None else str(found[0])

    return first
