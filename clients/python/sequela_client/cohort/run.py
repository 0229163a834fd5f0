"""Explains all sequences of files into a folder of Parquet files, and continues earlier runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from sequela_client.cohort import schema
from sequela_client.cohort.background import with_background_values
from sequela_client.cohort.backlog import pending_batches
from sequela_client.cohort.batches import OWN
from sequela_client.cohort.columns import check_columns, input_columns
from sequela_client.cohort.completion import background_file_record, rows_there
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.description import Description
from sequela_client.cohort.explain import Describer, explain_batches
from sequela_client.cohort.file_schema import file_schema, question_record
from sequela_client.cohort.first_failures import FIRST_FAILURES, checked
from sequela_client.cohort.folder import keep_question, locked
from sequela_client.cohort.parts import DoneRows, Parts, failure_examples, retried, summary_counts
from sequela_client.cohort.progress_display import shown_in_session
from sequela_client.cohort.question import BulkQuestion
from sequela_client.cohort.servers import PATIENCE_SECONDS, ServerPool, local_pool, named_pool
from sequela_client.cohort.sources import Memory, SequenceSource, open_source
from sequela_client.credentials import Credentials
from sequela_client.errors import CallerError

PART_ROWS = 1_000
# How many sequences are read at a time. The rows do not depend on it.
_BATCH_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a bulk explanation is carried out. The rows do not depend on it.

    Args:
        servers: addresses of running servers; empty: local servers.
        credentials: how to reach running servers safely.
        workers: how many local servers; None: one for each core.
        settings: further arguments of the local servers.
        part_rows: how many rows each file has.
        memory: the limits of memory for sorting.
        retry_failed: explain failed rows again.
        stop_after_failures: how many rows have to fail for the same reason at the beginning to end the run with an
            error; 0: it never ends for that.
        patience_seconds: how long a piece of work is retried while servers are busy or gone, in seconds.
    """

    servers: tuple[str, ...] = ()
    credentials: Credentials | None = None
    workers: int | None = None
    settings: tuple[str, ...] = ()
    part_rows: int = PART_ROWS
    memory: Memory = field(default_factory=Memory)
    retry_failed: bool = False
    stop_after_failures: int = FIRST_FAILURES
    patience_seconds: float = field(default_factory=lambda: PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run.

    Args:
        total: the rows of the whole cohort.
        there: the rows that the folder had at the start.
        done: the rows that were added since.
        failed: how many of the added rows failed.
    """

    total: int
    there: int
    done: int = 0
    failed: int = 0

    def after(self, batch: Any) -> Progress:
        """Returns the progress after another batch of rows."""
        failed = int(pc.sum(pc.equal(batch.column("status"), schema.FAILED)).as_py() or 0)
        return replace(self, done=self.done + len(batch), failed=self.failed + failed)


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Args:
        added: the rows that this run wrote.
        seconds: how long it took, including reading and starting servers.
        explained: explained rows of the cohort.
        below_minimum: rows of the cohort whose score was too low to be explained.
        failed: failed rows of the cohort by reason.
        examples: the first failed row of each reason, as a text.
    """

    added: int
    seconds: float
    explained: int
    below_minimum: int
    failed: Mapping[str, int]
    examples: Mapping[str, str] = field(default_factory=dict)


def explain_all(
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    question: BulkQuestion,
    options: RunOptions | None = None,
    report: Report | None = None,
) -> Cohort:
    """Explains all sequences of files, and returns the cohort.

    Args:
        data: a path, several, or a pattern with *: Parquet, CSV, .npy or .npz.
        out: the folder for the results. An earlier run with the same question is continued.
        question: what is asked.
        options: how it is carried out.
        report: called with the progress after every few rows. None shows it in a notebook or a terminal.

    Returns:
        The cohort: `Cohort.open(out)`.

    Raises:
        CallerError: the files, the model or the options are wrong, or the first rows all failed for the same reason.
        TryAgain: the servers were busy or gone for longer than a minute. Rows that are done are kept.
    """
    with nullcontext(report) if report is not None else shown_in_session() as show:
        run(data, out, question, options or RunOptions(), show)
    return Cohort.open(Path(out))


def run(
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    question: BulkQuestion,
    options: RunOptions,
    report: Report,
) -> RunSummary:
    """Carries out what `explain_all` describes, and returns a summary of it."""
    started, folder = time.monotonic(), Path(out)
    if options.part_rows < 1:
        raise CallerError(f"part_rows: {options.part_rows} is less than 1", reason="ARGUMENT_INVALID")
    if options.stop_after_failures < 0:
        text = f"stop_after_failures: {options.stop_after_failures} is less than 0; 0 never stops"
        raise CallerError(text, reason="ARGUMENT_INVALID")
    source = open_source(data, question, options.memory)
    check_columns(source.names, named_columns(question))
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        there = rows_there(folder, question, options.part_rows, options.retry_failed)
        total = source.count() * len(question.variants)
        if there is not None and there >= total:
            report(Progress(total, there))
            return run_summary(folder, 0, time.monotonic() - started)
        pool = stack.enter_context(_pool(options))
        describer = Describer(pool, question)
        description = describer.of(_checkpoint(source, question))
        files = background_file_record(question)
        question = with_background_values(question, description.layout)
        record = question_record(question, describer)
        keep_question(folder, {**record, "part_rows": options.part_rows, **files})
        parts = Parts(folder, file_schema(question, describer, description), options.part_rows)
        added = _carry_out(source, total, question, description, pool, parts, options, report)
    return run_summary(folder, added, time.monotonic() - started)


def named_columns(question: BulkQuestion) -> list[str | None]:
    """Returns the columns of ids, times, checkpoints and labels that the question names."""
    return [question.id_column, question.time, question.checkpoint_column, *question.labels]


def _pool(options: RunOptions) -> ServerPool:
    if options.servers:
        return named_pool(options.servers, options.credentials, options.patience_seconds)
    return local_pool(options.workers, options.settings, options.patience_seconds)


def _checkpoint(source: SequenceSource, question: BulkQuestion) -> str | None:
    if question.checkpoint_column is not None:
        return source.first(question.checkpoint_column)
    return question.checkpoints[0] if question.checkpoints else None


def _carry_out(
    source: SequenceSource,
    total: int,
    question: BulkQuestion,
    description: Description,
    pool: ServerPool,
    parts: Parts,
    options: RunOptions,
    report: Report,
) -> int:
    """Explains what is not done yet, and returns how many rows were added."""
    used = input_columns(source.names, description.layout, question.columns, (*named_columns(question), *OWN))
    wanted = list(dict.fromkeys([*used.names, *filter(None, named_columns(question))]))
    added = 0
    for write, count_failed in _PASSES[: 2 if options.retry_failed else 1]:
        done = DoneRows(parts.folder, count_failed)
        progress = Progress(total, len(done))
        report(progress)
        # A complete folder need not read its input again, which may be large.
        if progress.there >= total:
            continue
        read = source.batches(wanted, _BATCH_ROWS)
        explained = explain_batches(question, pending_batches(read, question, done), servers=pool)
        # Rows that failed before are likely to fail again, which must not end the run.
        first_failures = options.stop_after_failures if count_failed else 0
        for batch in write(parts, checked(explained, first_failures)):
            progress = progress.after(batch)
            report(progress)
        added += progress.done
    return added


# Missing rows are written first. The second pass then has only failed rows to replace.
_PASSES: tuple[tuple[Callable[[Parts, Iterable[Any]], Iterator[Any]], bool], ...] = (
    (Parts.write_all, True),
    (retried, False),
)


def run_summary(folder: Path, added: int, seconds: float) -> RunSummary:
    """Counts the rows of a folder after a run."""
    counts = summary_counts(folder)
    failed = {reason: count for (status, reason), count in counts.items() if status == schema.FAILED}
    by_status = {status: count for (status, reason), count in counts.items() if not reason}
    return RunSummary(
        added,
        seconds,
        by_status.get(schema.EXPLAINED, 0),
        by_status.get(schema.BELOW_MINIMUM, 0),
        dict(sorted(failed.items(), key=lambda item: -item[1])),
        failure_examples(folder) if failed else {},
    )
