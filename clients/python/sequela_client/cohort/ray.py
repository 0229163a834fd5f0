"""Explains sequences on Ray Data. It needs the extra `ray`.

Importing this module switches off Ray's usage statistics, unless RAY_USAGE_STATS_ENABLED says otherwise.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sequela_client.cohort import schema
from sequela_client.cohort.batches import OWN, REPEATED, ROW
from sequela_client.cohort.columns import check_columns
from sequela_client.cohort.engine import PART_ROWS, EngineExplainer, EngineFolder, engine_run
from sequela_client.cohort.question import BulkQuestion
from sequela_client.cohort.run import RunSummary, run_summary
from sequela_client.cohort.servers import addresses_of
from sequela_client.cohort.sources import Memory
from sequela_client.cohort.sources.scan import Scan, open_scan
from sequela_client.cohort.sources.sequence_rows import SequenceTable
from sequela_client.credentials import Credentials
from sequela_client.errors import CallerError
from sequela_client.extras import require

# Ray reads the variable when it starts, and sends statistics by default.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
ray = require("ray", extra="ray")
require("ray.data", extra="ray")

from ray.data import Datasink  # noqa: E402 only after the check above

from sequela_client.cohort.ray_checkpoints import (  # noqa: E402 only after the check above
    check_no_checkpoints,
    require_checkpoints,
)

# How many ids are read at a time when repeated ones are searched.
_IDS = 1 << 16
# Reading and writing must not wait for a CPU: the actors may hold all of them until the end.
_LITTLE = {"num_cpus": 0}
# Otherwise Ray would start a process for each of the tasks, since they need no CPU.
_MOST_READERS = 4


def explain_dataset(
    question: BulkQuestion,
    dataset: Any,
    *,
    servers: Sequence[str] = (),
    credentials: Credentials | None = None,
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1.0,
) -> Any:
    """Explains the rows of a dataset. The work is done when the result is read or written.

    Args:
        question: what is asked, with the column of the ids. Each row of the dataset is a sequence.
        dataset: the sequences: columns as in docs/bulk.md. A column `sequela.row` has their positions; without it the
            column `row` of the result is -1.
        servers: addresses of running servers; empty: every actor starts a local one.
        credentials: how to reach them safely. Files are read by the workers, on their machines. A token must be in a
            file (`token_file`), since tasks would hold it otherwise.
        concurrency: how many actors explain, or the least and the most; None: as many as there is work and room for.
        num_cpus: how many CPUs an actor and its server take.

    Returns:
        A dataset of the columns of a cohort.

    Raises:
        CallerError: Ray's checkpoints are on, and would lose or repeat rows. Where the plan does not support them,
            the error is raised before the plan is carried out.
    """
    require_checkpoints(question, dataset)
    return _explained(
        EngineExplainer(question, addresses_of(servers), credentials), dataset, concurrency, num_cpus
    )


def explain_files(
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    question: BulkQuestion,
    *,
    servers: Sequence[str] = (),
    credentials: Credentials | None = None,
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1.0,
    part_rows: int = PART_ROWS,
) -> RunSummary:
    """Explains Parquet files into the folder of a cohort, and continues an earlier run that ended too soon.

    Args:
        data: Parquet files with one row for each sequence: a path, several, or a pattern with *.
        out: the folder. Data and folder have the same paths on all machines.
        question: what is asked.
        servers: addresses of running servers; empty: every actor starts a local one.
        credentials: how to reach them safely. Files are read by the workers, on their machines. A token must be in a
            file (`token_file`), since tasks would hold it otherwise.
        concurrency: how many actors explain, or the least and the most; None: as many as there is work and room for.
        num_cpus: how many CPUs an actor and its server take.
        part_rows: how many sequences each file has at most.

    Returns:
        What was done.

    Raises:
        CallerError: the files, the model or the question are wrong, or Ray's checkpoints are on.
    """
    started = time.monotonic()
    check_no_checkpoints()
    table = _sequence_table(data, question)
    with engine_run(question, out, servers, credentials, table.first) as (explainer, folder):
        assert explainer.done is not None
        before = len(explainer.done)
        dataset = _read(table).repartition(target_num_rows_per_block=max(1, part_rows))
        explained = _explained(explainer, dataset, concurrency, num_cpus)
        explained.write_datasink(CohortSink(folder), ray_remote_args=_LITTLE, concurrency=_MOST_READERS)
        found = run_summary(folder.path, 0, time.monotonic() - started)
        added = found.explained + found.below_minimum + sum(found.failed.values()) - before
        return run_summary(folder.path, added, time.monotonic() - started)


def _explained(
    explainer: EngineExplainer,
    dataset: Any,
    concurrency: int | tuple[int, int] | None,
    num_cpus: float,
) -> Any:
    least, most = concurrency if isinstance(concurrency, tuple) else (concurrency or 1, concurrency)
    return dataset.map_batches(
        _Explainer,
        fn_constructor_args=(explainer,),
        batch_format="pyarrow",
        batch_size=None,
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
        num_cpus=num_cpus,
    )


class _Explainer:
    """An actor, which holds the question and the server of its process."""

    def __init__(self, explainer: EngineExplainer) -> None:
        self._explainer = explainer

    def __call__(self, table: Any) -> Iterator[Any]:
        empty = True
        for batch in self._explainer(_without_tensors(table).to_batches()):
            empty = False
            yield pa.Table.from_batches([batch])
        # Even an empty block must have the columns of the result.
        if empty:
            yield schema.SCHEMA.empty_table()


def _without_tensors(table: Any) -> Any:
    """Returns the table with lists in place of Ray's own type for numpy arrays."""
    for at, field in enumerate(table.schema):
        if isinstance(field.type, pa.BaseExtensionType):
            values = [np.asarray(each).tolist() for each in table.column(at).to_pylist()]
            table = table.set_column(at, field.name, pa.array(values))
    return table


def _sequence_table(
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], question: BulkQuestion
) -> SequenceTable:
    paths = [os.fspath(data)] if isinstance(data, str | os.PathLike) else [os.fspath(each) for each in data]
    scan = open_scan([os.path.abspath(path) for path in paths], Memory())
    if question.entity or scan.kind != "parquet":
        raise CallerError(
            "data: on Ray, files must be Parquet with one row for each sequence; for rows of events use Spark or "
            "`explain_all`, or group them and use `explain_dataset`",
            reason="ARGUMENT_INVALID",
        )
    _check_alike(scan)
    named = [question.id, question.time, question.checkpoint_column, *question.labels]
    check_columns(pq.read_schema(scan.paths[0]).names, named)
    return SequenceTable(scan, question.id)


def _check_alike(scan: Scan) -> None:
    first = pq.read_schema(scan.paths[0])
    for path in scan.paths[1:]:
        if not pq.read_schema(path).equals(first):
            raise CallerError(
                f"{path}: has other columns or types than {scan.paths[0]}; explain it into another folder",
                reason="COLUMNS_DIFFER",
            )


def _read(table: SequenceTable) -> Any:
    """Returns a dataset of the sequences with their positions. Ray reads each row group in a task."""
    groups = list(_row_groups(table.scan))
    return ray.data.from_items(groups, override_num_blocks=max(1, len(groups))).map_batches(
        _read_groups,
        fn_kwargs={"repeated": _repeated(table)},
        batch_format="pyarrow",
        batch_size=None,
        compute=ray.data.TaskPoolStrategy(size=_MOST_READERS),
        **_LITTLE,
    )


def _row_groups(scan: Scan) -> Iterator[dict[str, Any]]:
    row = 0
    for path in scan.paths:
        metadata = pq.read_metadata(path)
        for group in range(metadata.num_row_groups):
            yield {"path": path, "group": group, "row": row}
            row += metadata.row_group(group).num_rows


def _repeated(table: SequenceTable) -> Any:
    """Returns the positions of the rows whose id an earlier row has."""
    found = [np.empty(0, np.int64)]
    if table.id is not None:
        batches = table.batches((), _IDS)
        found.extend(np.asarray(batch.column(ROW).filter(batch.column(REPEATED))) for batch in batches)
    return np.concatenate(found)


def _read_groups(groups: Any, repeated: Any) -> Iterator[Any]:
    for group in groups.to_pylist():
        row = group["row"]
        with pq.ParquetFile(group["path"]) as file:
            for batch in file.iter_batches(batch_size=PART_ROWS, row_groups=[group["group"]]):
                rows = np.arange(row, row + len(batch))
                row += len(batch)
                plain = pa.Table.from_batches([batch]).drop_columns(
                    [name for name in OWN if name in batch.schema.names]
                )
                numbered = plain.append_column(ROW, pa.array(rows))
                yield numbered.append_column(REPEATED, pa.array(np.isin(rows, repeated)))


class CohortSink(Datasink):  # type: ignore[misc]  # Ray has no types for mypy
    """Writes the blocks of each task into a file in the folder of a cohort."""

    def __init__(self, folder: EngineFolder) -> None:
        self._folder = folder

    def write(self, blocks: Iterable[Any], ctx: Any) -> list[str]:
        """Writes the blocks of a task, and returns the name of the file."""
        tables = [table for table in map(_as_table, blocks) if len(table)]
        if not tables:
            return []
        return [self._folder.write(pa.concat_tables(tables), ctx.task_idx)]


def _as_table(block: Any) -> Any:
    return ray.data.block.BlockAccessor.for_block(block).to_arrow()
