"""What Ray and Spark share: the explainer of their workers, and the folder that they write to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sequela_client.cohort import schema
from sequela_client.cohort.background import with_background_values
from sequela_client.cohort.backlog import pending_batches
from sequela_client.cohort.batches import ROW
from sequela_client.cohort.explain import Describer, explain_batches
from sequela_client.cohort.file_schema import file_schema, question_record
from sequela_client.cohort.folder import keep_question, locked
from sequela_client.cohort.parts import DoneRows, write_part
from sequela_client.cohort.question import BulkQuestion
from sequela_client.cohort.servers import local_pool, named_pool, worker_pool
from sequela_client.credentials import Credentials
from sequela_client.errors import CallerError

PART_ROWS = 1_000

_PART_NAME = "part-{:05d}-{:05d}-{:05d}.parquet"
# The position of a sequence if the engine does not keep the order of rows.
_UNKNOWN_ROW = -1


@dataclass(frozen=True, slots=True)
class EngineExplainer:
    """Explains batches in a worker of an engine. It can be pickled.

    Args:
        question: what is asked about each sequence.
        servers: addresses of running servers; empty: a local server for each process.
        credentials: how to reach them safely; files are read in the worker. A token must be in a file.
        done: the rows that an earlier run has written; None: there was no earlier run.

    Raises:
        CallerError: the credentials hold a token.
    """

    question: BulkQuestion
    servers: tuple[str, ...] = ()
    credentials: Credentials | None = None
    done: DoneRows | None = None

    def __post_init__(self) -> None:
        check_token_stays(self.credentials)

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Explains what is not done yet, and yields the rows as RecordBatches of the schema."""
        read: Iterable[Any] = (_with_rows(batch, self.question) for batch in batches if batch.num_rows)
        if self.done is not None:
            read = pending_batches(read, self.question, self.done)
        return explain_batches(self.question, read, servers=worker_pool(self.servers, self.credentials))


def check_token_stays(credentials: Credentials | None) -> None:
    """Raises CallerError if a token would be sent to workers, since others may read the tasks of an engine."""
    if credentials is not None and credentials.token is not None:
        raise CallerError(
            "token: tasks of Ray and Spark would hold it, and others may read those; write it into a file that all "
            "workers can read, and give token_file instead",
            reason="TOKEN_IN_TASK",
        )


def _with_rows(batch: Any, question: BulkQuestion) -> Any:
    """Returns the batch with a column of positions. If rows have no order, their ids must tell them apart."""
    if ROW in batch.schema.names:
        return batch
    column = question.id_column
    if column is None:
        raise CallerError(
            f"id: rows of this engine have no order; name the column of the ids, or add a column {ROW!r} with the "
            "positions of the sequences",
            reason="ARGUMENT_INVALID",
        )
    ids = batch.column(column).cast(pa.string())
    missing = pc.sum(pc.fill_null(pc.equal(pc.utf8_length(ids), 0), True)).as_py()
    if missing:
        raise CallerError(
            f"column {column!r}: {missing} ids are missing; leave these rows out, or add a column {ROW!r} with the "
            "positions of the sequences",
            reason="ID_MISSING",
        )
    return batch.append_column(ROW, pa.array(np.full(batch.num_rows, _UNKNOWN_ROW, np.int64)))


@dataclass(frozen=True, slots=True)
class EngineFolder:
    """The folder of a cohort, as it is used by the workers of an engine. It can be pickled.

    Args:
        path: the folder, which has the same name on all machines.
        described: the schema with the metadata of the run.
        number: the number of this run in the folder.
    """

    path: Path
    described: Any
    number: int

    def write(self, table: Any, task: int, part: int = 0) -> str:
        """Writes rows, and returns the name of the file. A second attempt at the same part replaces the first one.

        Args:
            table: the rows.
            task: the number of the engine's task.
            part: the number of the file among those of the task.
        """
        # The number of the run keeps it from overwriting files of earlier runs, whose tasks have the same numbers.
        name = _PART_NAME.format(self.number, task, part)
        write_part(self.path / name, table.cast(schema.SCHEMA), self.described, PART_ROWS)
        return name

    def write_all(self, batches: Iterable[Any], task: int, rows: int) -> Iterator[tuple[str, int]]:
        """Writes batches into files of about `rows` rows, and yields the name and the rows of each file."""
        held: list[Any] = []
        part = 0
        for batch in batches:
            held.append(batch)
            if sum(map(len, held)) >= rows:
                yield self._write_held(held, task, part)
                held, part = [], part + 1
        if held:
            yield self._write_held(held, task, part)

    def _write_held(self, held: Sequence[Any], task: int, part: int) -> tuple[str, int]:
        table = pa.Table.from_batches(list(held))
        return self.write(table, task, part), len(table)


@contextmanager
def engine_run(
    question: BulkQuestion,
    out: str | os.PathLike[str],
    servers: Sequence[str],
    credentials: Credentials | None,
    first_checkpoint: Callable[[str], str | None],
) -> Iterator[tuple[EngineExplainer, EngineFolder]]:
    """Prepares a folder, and locks it for this process.

    Args:
        question: what is asked about each sequence.
        out: the folder.
        servers: addresses of running servers; empty: local ones.
        credentials: how to reach them safely. A token must be in a file.
        first_checkpoint: returns a value of the column of checkpoints, if there is one.

    Raises:
        CallerError: the model or the question is wrong, the folder holds something else, or the credentials hold a
            token.
    """
    check_token_stays(credentials)
    folder = Path(out).absolute()
    with locked(folder):
        with named_pool(servers, credentials) if servers else local_pool(1) as pool:
            describer = Describer(pool, question)
            description = describer.of(_checkpoint(question, first_checkpoint))
            question = with_background_values(question, description.layout)
            keep_question(folder, question_record(question, describer))
            described = file_schema(question, describer, description)
        explainer = EngineExplainer(question, tuple(servers), credentials, DoneRows(folder))
        yield explainer, EngineFolder(folder, described, _next_number(folder))


def _checkpoint(question: BulkQuestion, first_checkpoint: Callable[[str], str | None]) -> str | None:
    if question.checkpoint_column is not None:
        return first_checkpoint(question.checkpoint_column)
    return question.checkpoints[0] if question.checkpoints else None


def _next_number(folder: Path) -> int:
    return 1 + max((int(path.name.split("-")[1]) for path in folder.glob("part-*-*-*.parquet")), default=-1)
