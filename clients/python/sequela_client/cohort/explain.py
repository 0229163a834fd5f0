"""Explains batches of sequences: RecordBatches in, RecordBatches of the cohort's schema out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sequela_client.cohort.background import with_background_values
from sequela_client.cohort.batches import SequenceRow, sequences
from sequela_client.cohort.description import Description, describe
from sequela_client.cohort.lists import latest_texts
from sequela_client.cohort.question import BulkQuestion
from sequela_client.cohort.rows import record_batch
from sequela_client.cohort.servers import ServerPool, named_pool, shared_pool
from sequela_client.cohort.streams import SequenceWork
from sequela_client.credentials import Credentials
from sequela_client.errors import CallerError

# The sequences of one piece of work: enough to outweigh the start of a stream, few enough to share work evenly.
_SEQUENCES = 16
# Pieces that are prepared ahead for each runner, so that none waits for the next batch to be read.
_AHEAD = 2


def explain_batches(
    question: BulkQuestion,
    batches: Iterable[Any],
    *,
    servers: Sequence[str] | ServerPool | None = None,
    credentials: Credentials | None = None,
) -> Iterator[Any]:
    """Explains the sequences of batches. The row of a sequence does not depend on the batch that it comes in.

    Args:
        question: what is asked about each sequence.
        batches: RecordBatches with one row for each sequence. Its values are lists: of a feature's values, oldest event
            first, in a column with the name of the feature, or of events in a column with the name of an input.
        servers: the addresses of running servers, or a pool of servers. None, or no address: local servers, one for
            each core, which this process starts once.
        credentials: how to reach running servers safely.

    Returns:
        RecordBatches of `schema.SCHEMA`: one row for each sequence and variant, in the order of the input. There is at
        least one for each batch of the input that has rows.

    Raises:
        CallerError: the columns, the model or the options are wrong.
        TryAgain: the servers were busy or gone for longer than a minute.
    """
    with _pool(servers, credentials) as pool:
        describer = Describer(pool, question)
        first_row = 0
        pieces: deque[Future[Any]] = deque()
        try:
            for batch in batches:
                if not batch.num_rows:
                    continue
                for piece in _pieces(batch, question, describer, first_row):
                    pieces.append(pool.submit(piece))
                    # Taking the oldest piece keeps the order of the input, and bounds how many pieces wait.
                    while len(pieces) > pool.runners * _AHEAD:
                        yield record_batch(pieces.popleft().result())
                first_row += batch.num_rows
            while pieces:
                yield record_batch(pieces.popleft().result())
        finally:
            # The caller may stop early, and then nobody reads the other results.
            for future in pieces:
                future.cancel()


def _pool(
    servers: Sequence[str] | ServerPool | None, credentials: Credentials | None
) -> AbstractContextManager[ServerPool]:
    if isinstance(servers, ServerPool):
        return nullcontext(servers)
    return named_pool(servers, credentials) if servers else nullcontext(shared_pool())


class Describer:
    """Describes the model of each checkpoint, and asks a server only once for each."""

    def __init__(self, pool: ServerPool, question: BulkQuestion) -> None:
        self._pool, self._question = pool, question
        self._known: dict[str | None, Description] = {}

    def of(self, checkpoint: str | None) -> Description:
        """Returns the description of the model of a checkpoint.

        Raises:
            CallerError: CHECKPOINTS_DIFFER, its features or target differ from those of the first checkpoint.
        """
        if checkpoint not in self._known:
            # As work of the pool, it waits for servers that are still starting.
            asked = self._pool.submit(lambda client: describe(client, self._question, checkpoint))
            found: Description = asked.result()
            first = next(iter(self._known.values()), found)
            if (first.layout, first.target) != (found.layout, found.target):
                name = self._question.model_name(checkpoint)
                raise CallerError(
                    f"model {name} has other features or another target than the first checkpoint; explain it into "
                    "another folder",
                    reason="CHECKPOINTS_DIFFER",
                )
            self._known[checkpoint] = found
        return self._known[checkpoint]

    def common(self, checkpoints: Sequence[str | None]) -> Description:
        """Returns the description that all checkpoints of a batch share, or that of earlier ones if it has none."""
        for checkpoint in checkpoints:
            self.of(checkpoint)
        if not self._known:
            raise CallerError(
                f"column {self._question.checkpoint_column!r}: no sequence has a checkpoint",
                reason="CHECKPOINT_MISSING",
            )
        return next(iter(self._known.values()))


def _pieces(
    batch: Any, question: BulkQuestion, describer: Describer, first_row: int
) -> Iterator[SequenceWork]:
    description = describer.common(_checkpoints(batch, question))
    question = with_background_values(question, description.layout)
    rows: list[SequenceRow] = sequences(batch, question, description.layout, first_row)
    # All variants of a sequence are in one piece of work, which should not grow with their number.
    size = max(1, _SEQUENCES // len(question.variants))
    for start in range(0, len(rows), size):
        yield SequenceWork(question, rows[start : start + size], description.target.name)


def _checkpoints(batch: Any, question: BulkQuestion) -> list[str | None]:
    """The checkpoints of a batch; [None] if the model has none."""
    if question.checkpoint_column is None:
        return list(question.checkpoints) or [None]
    found = filter(None, latest_texts(batch.column(question.checkpoint_column)))
    return list(dict.fromkeys(found))
