"""Reads sequences from a RecordBatch with one row for each sequence.

All values of a batch are converted at once, and then cut into one array for each sequence. A row that cannot be
explained gets a reason instead of arrays, so that it does not stop the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sequela_client.cohort.columns import input_columns
from sequela_client.cohort.flaws import (
    CHECKPOINT_MISSING,
    ID_MISSING,
    ID_REPEATED,
    ID_RESERVED,
    TIME_MISSING,
    Flaw,
)
from sequela_client.cohort.ids import id_texts
from sequela_client.cohort.input_reader import InputReader
from sequela_client.cohort.lists import check_list, flat_values, latest_texts, lengths_of
from sequela_client.cohort.question import BulkQuestion
from sequela_client.model_inputs.layout import Layout

# Columns that sources add: the position in the input, whether an earlier row has the same id, and the variants that are
# wanted (null: all).
ROW, REPEATED, VARIANTS = "sequela.row", "sequela.repeated", "sequela.variants"
OWN = (ROW, REPEATED, VARIANTS)

# The id of a row that has no id of its own.
NUMBERED = "row:"


@dataclass(frozen=True, slots=True)
class BatchKeys:
    """The ids of the rows of a batch.

    Args:
        rows: the positions in the input.
        ids: the ids; "row:17" for a row without a usable id of its own.
        flaws: why a row has no usable id, by its place in the batch.
    """

    rows: list[int]
    ids: list[str]
    flaws: dict[int, Flaw]


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """A sequence in a row of a batch.

    Args:
        id: its id.
        row: its position in the input.
        inputs: arrays by input name; empty if the sequence cannot be explained.
        times: when its events happened, as an Arrow array; None if that is not known.
        labels: its labels.
        checkpoint: its own checkpoint.
        variants: the variants that are wanted; None: all.
        flaw: why it cannot be explained; None if it can.
        static: the names of the inputs that are not events.
    """

    id: str
    row: int
    inputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    times: Any = None
    labels: Mapping[str, str] = field(default_factory=dict)
    checkpoint: str | None = None
    variants: tuple[str, ...] | None = None
    flaw: Flaw | None = None
    static: tuple[str, ...] = ()

    @property
    def length(self) -> int | None:
        """How many events it has; None if it cannot be explained."""
        held = [len(array) for name, array in self.inputs.items() if name not in self.static]
        return held[0] if held else None

    def until(self, count: int) -> Mapping[str, NDArray[Any]]:
        """Returns the arrays of its first `count` events; static inputs are whole."""
        return {name: array if name in self.static else array[:count] for name, array in self.inputs.items()}


def batch_keys(batch: Any, question: BulkQuestion, first_row: int = 0) -> BatchKeys:
    """The ids and positions of the rows of a batch.

    Args:
        batch: the rows.
        question: names the column of the ids.
        first_row: the position of the first row, if the batch has no column of positions.
    """
    names = batch.schema.names
    rows = batch.column(ROW).to_pylist() if ROW in names else [first_row + at for at in range(len(batch))]
    if question.id_column is None:
        return BatchKeys(rows, [str(row) for row in rows], {})
    given = id_texts(question.id_column, batch.column(question.id_column))
    repeated = batch.column(REPEATED).to_pylist() if REPEATED in names else [False] * len(batch)
    flaws = {
        at: flaw
        for at, (id, again) in enumerate(zip(given, repeated, strict=True))
        if (flaw := _id_flaw(id, again, question.id_column))
    }
    ids = [f"{NUMBERED}{row}" if at in flaws else str(given[at]) for at, row in enumerate(rows)]
    return BatchKeys(rows, ids, flaws)


def _id_flaw(id: str | None, again: bool | None, column: str) -> Flaw | None:
    if not id:
        return ID_MISSING, f"column {column!r}: the id is missing"
    if again:
        return (
            ID_REPEATED,
            f"column {column!r}: the id {id!r} occurs more than once; only its first row is explained",
        )
    if id.startswith(NUMBERED):
        return (
            ID_RESERVED,
            f"column {column!r}: the id {id!r} begins with {NUMBERED!r}, which is reserved for rows without an id",
        )
    return None


def sequences(batch: Any, question: BulkQuestion, layout: Layout, first_row: int = 0) -> list[SequenceRow]:
    """Reads the sequences of a batch, in its order.

    Args:
        batch: a RecordBatch with one row for each sequence; docs/bulk.md says which columns it may have.
        question: says which columns are which.
        layout: the inputs and features of the model.
        first_row: the position of the first row, if the batch has no column of positions.

    Raises:
        CallerError: COLUMNS_DIFFER, the columns do not fit the model.
    """
    keys = batch_keys(batch, question, first_row)
    apart = (question.id_column, question.time, question.checkpoint_column, *question.labels, *OWN)
    used = input_columns(batch.schema.names, layout, question.columns, apart)
    # The reader adds the flaws of values to those of the ids; a row keeps its first one.
    reader = InputReader(batch, layout, used, dict(keys.flaws), question.decimal or ".")
    arrays = reader.arrays()
    times = _times(batch, question, reader.flaws)
    checkpoints = _checkpoints(batch, question, reader.flaws)
    labels = _labels(batch, question)
    wanted = _wanted(batch)
    static = tuple(item.name for item in layout.inputs if item.role == "static")
    return [
        SequenceRow(
            id,
            keys.rows[at],
            {} if at in reader.flaws else arrays[at],
            None if times is None else times[at].values,
            {name: text for name, each in labels.items() if (text := each[at]) is not None},
            checkpoints[at],
            wanted[at],
            reader.flaws.get(at),
            static,
        )
        for at, id in enumerate(keys.ids)
    ]


def _times(batch: Any, question: BulkQuestion, flaws: dict[int, Flaw]) -> Any:
    """Returns the times as lists of timestamps in UTC; None if there are none, or if they are plain numbers."""
    if question.time is None:
        return None
    column = batch.column(question.time)
    check_list(batch, question.time)
    counts = np.bincount(
        np.repeat(np.arange(len(column)), np.maximum(lengths_of(column), 0))[
            np.asarray(pc.is_null(flat_values(column)))
        ],
        minlength=len(column),
    )
    for at in np.flatnonzero(counts).tolist():
        text = f"column {question.time!r}: {counts[at]} of its events have no time that can be read"
        flaws.setdefault(at, (TIME_MISSING, text))
    kind = column.type.value_type
    if pa.types.is_date(kind):
        column = column.cast(pa.list_(pa.timestamp("us")))
        kind = column.type.value_type
    if not pa.types.is_timestamp(kind):
        return None
    # A time without a zone is taken as UTC, so that the answer does not depend on the machine. Files have microseconds,
    # so nanoseconds are cut off.
    return column.cast(pa.list_(pa.timestamp("us")), safe=False).cast(pa.list_(pa.timestamp("us", tz="UTC")))


def _labels(batch: Any, question: BulkQuestion) -> dict[str, list[str | None]]:
    return {name: latest_texts(batch.column(name)) for name in question.labels}


def _wanted(batch: Any) -> list[tuple[str, ...] | None]:
    if VARIANTS not in batch.schema.names:
        return [None] * len(batch)
    return [None if names is None else tuple(names) for names in batch.column(VARIANTS).to_pylist()]


def _checkpoints(batch: Any, question: BulkQuestion, flaws: dict[int, Flaw]) -> list[str | None]:
    if question.checkpoint_column is None:
        return [None] * len(batch)
    found = latest_texts(batch.column(question.checkpoint_column))
    for at, checkpoint in enumerate(found):
        if not checkpoint:
            text = f"column {question.checkpoint_column!r}: the checkpoint is missing"
            flaws.setdefault(at, (CHECKPOINT_MISSING, text))
    return found
