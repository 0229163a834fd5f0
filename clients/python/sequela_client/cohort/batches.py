"""The sequences of a RecordBatch that has one row for each of them.

All values of a batch are converted at once; only the arrays of the sequences are cut one by one. A row that cannot be
explained is set aside with its reason, and the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sequela_client.cli.columns import Source
from sequela_client.cli.model_layout import Layout
from sequela_client.cohort.columns import InputColumns, input_columns
from sequela_client.cohort.question import BulkQuestion
from sequela_client.cohort.values import VALUE_MISSING, Numbers, categories, is_text, numbers
from sequela_client.errors import CallerError
from sequela_client.resources import ModelInput

# Columns that sources add: the position in the input, whether the id was there before, and the variants that are wanted
# (null: all).
ROW, REPEATED, VARIANTS = "sequela.row", "sequela.repeated", "sequela.variants"
OWN = (ROW, REPEATED, VARIANTS)

# The id of a row that has no id of its own.
NUMBERED = "row:"

ID_MISSING, ID_REPEATED, ID_RESERVED = "ID_MISSING", "ID_REPEATED", "ID_RESERVED"
NO_EVENTS, LENGTHS_DIFFER, TIME_MISSING = "NO_EVENTS", "LENGTHS_DIFFER", "TIME_MISSING"
CHECKPOINT_MISSING, STATIC_VARIES = "CHECKPOINT_MISSING", "STATIC_VARIES"

Flaw = tuple[str, str]
"""The reason why a sequence cannot be explained, and a sentence for people."""


@dataclass(frozen=True, slots=True)
class BatchKeys:
    """What identifies the rows of a batch.

    Args:
        rows: the positions in the input.
        ids: the ids; "row:17" for a row without a usable id of its own.
        flaws: what is wrong with ids, by place in the batch.
    """

    rows: list[int]
    ids: list[str]
    flaws: dict[int, Flaw]


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """One row of a batch.

    Args:
        id: its id.
        row: its position in the input.
        inputs: arrays by input name; empty if it has a flaw.
        times: when its events happened, as an array of Arrow; None if that is not known.
        labels: its labels.
        checkpoint: its own checkpoint.
        variants: the variants that are wanted; None: all.
        flaw: why it cannot be explained.
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
        """How many events it has; None if it has a flaw."""
        held = [len(array) for name, array in self.inputs.items() if name not in self.static]
        return held[0] if held else None

    def until(self, count: int) -> Mapping[str, NDArray[Any]]:
        """The arrays of its first events."""
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
    given = batch.column(question.id_column).cast(pa.string()).to_pylist()
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
        return ID_REPEATED, f"column {column!r}: the id {id!r} was there before, and its first row counts"
    if id.startswith(NUMBERED):
        return (
            ID_RESERVED,
            f"column {column!r}: {id!r}: ids that begin with {NUMBERED!r} are for rows without id",
        )
    return None


def sequences(batch: Any, question: BulkQuestion, layout: Layout, first_row: int = 0) -> list[SequenceRow]:
    """The sequences of a batch, in its order.

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
    reader = _Reader(batch, layout, used, dict(keys.flaws))
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


class _Reader:
    """Reads the inputs of a batch, and notes the flaws of its rows by their places."""

    def __init__(self, batch: Any, layout: Layout, used: InputColumns, flaws: dict[int, Flaw]) -> None:
        self.flaws = flaws
        self._layout, self._used = layout, used
        events = [item.name for item in layout.events]
        of_events = {name for place, (name, _) in used.sources.items() if place[0] in events}
        of_events |= {used.matrices[name] for name in events if name in used.matrices}
        self._note_lengths(batch, sorted(of_events))
        # Flaws so far: rows whose columns have no common length cannot be flattened.
        self._places = np.array([at for at in range(len(batch)) if at not in flaws], np.int64)
        self._batch = batch.take(pa.array(self._places))
        self._offsets = self._offsets_of(sorted(of_events))
        self._read: dict[tuple[str, tuple[str, ...], bool], Numbers] = {}

    def arrays(self) -> dict[int, Mapping[str, NDArray[Any]]]:
        """The arrays of each row by its place; those of rows with a flaw mean nothing."""
        whole = {item.name: self._input(item) for item in self._layout.inputs}
        static = {item.name for item in self._layout.inputs if item.role == "static"}
        starts = self._offsets.tolist()
        return {
            place: {
                name: array[at] if name in static else array[starts[at] : starts[at + 1]]
                for name, array in whole.items()
            }
            for at, place in enumerate(self._places.tolist())
        }

    def _note_lengths(self, batch: Any, names: Sequence[str]) -> None:
        for name in names:
            _check_list(batch, name)
        lengths = [_lengths(batch.column(name)) for name in names]
        empty = np.minimum.reduce(lengths) < 1
        differ = np.minimum.reduce(lengths) != np.maximum.reduce(lengths)
        for at in np.flatnonzero(empty | differ).tolist():
            told = ", ".join(
                f"{name} {each[at] if each[at] >= 0 else 'null'}"
                for name, each in zip(names, lengths, strict=True)
            )
            self.flaws.setdefault(
                at,
                (LENGTHS_DIFFER, f"its columns differ in length: {told}")
                if differ[at]
                else (NO_EVENTS, "it has no events"),
            )

    def _offsets_of(self, names: Sequence[str]) -> NDArray[np.int64]:
        offsets = np.zeros(len(self._batch) + 1, np.int64)
        np.cumsum(_lengths(self._batch.column(names[0])), out=offsets[1:])
        return offsets

    def _input(self, item: ModelInput) -> NDArray[Any]:
        """All rows of an input one below the other: (events, width), or (rows, width) of a static one."""
        if item.name in self._used.matrices:
            return self._matrix(item)
        columns = [self._column(item, at) for at in range(item.width)]
        array = np.stack(columns, axis=1)
        # As in `sequela explain`: int64 for a model that takes integers, else float64.
        whole = item.dtype in ("int32", "int64") and array.dtype.kind == "i"
        return array if whole else np.asarray(array, np.float64)

    def _matrix(self, item: ModelInput) -> NDArray[Any]:
        name = self._used.matrices[item.name]
        column = self._batch.column(name)
        owners = np.arange(len(column))
        if item.role != "static":
            column, owners = column.flatten(), np.repeat(owners, np.diff(self._offsets))
        widths = _lengths(column) if _is_list(column.type) else np.ones(len(column), np.int64)
        wrong = np.flatnonzero(widths != item.width)
        if len(wrong):
            for at in wrong[np.unique(owners[wrong], return_index=True)[1]].tolist():
                self._flaw(
                    int(owners[at]),
                    (
                        LENGTHS_DIFFER,
                        f"column {name!r}: {widths[at]} values, but the model takes {item.width}",
                    ),
                )
            good = pa.array(widths == item.width)
            kept = _flat(column.filter(good))
            found = numbers(name, kept)
            values = np.zeros((len(column), item.width), found.values.dtype)
            values[widths == item.width] = found.values.reshape(-1, item.width)
            return values.astype(np.float64)
        found = numbers(name, _flat(column))
        self._note(found, np.repeat(owners, item.width), name, item)
        return found.values.reshape(len(column), item.width)

    def _column(self, item: ModelInput, at: int) -> NDArray[Any]:
        """One column of an input."""
        name, source = self._used.sources[item.name, at]
        found = self._numbers(name, source, item)
        values = (found.values == source.at).astype(np.int64) if source.words else found.values
        return np.asarray(values) if item.role != "static" else self._constant(name, values)

    def _numbers(self, name: str, source: Source, item: ModelInput) -> Numbers:
        """The numbers of a column, which several columns of the model may share."""
        feature = source.feature
        key = (name, feature.categories, source.words)
        if key in self._read:
            return self._read[key]
        column = self._batch.column(name)
        nested = _is_list(column.type)
        flat = column.flatten() if nested else column
        named = feature.categories and (
            source.words or (feature.kind == "categorical" and is_text(flat.type))
        )
        found = categories(flat, feature.categories, source.words) if named else numbers(name, flat)
        owners = np.repeat(np.arange(len(column)), _lengths(column)) if nested else np.arange(len(column))
        self._note(found, owners, name, item)
        self._read[key] = found
        return found

    def _constant(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """The one value of each sequence, which every event may repeat."""
        column = self._batch.column(name)
        if not _is_list(column.type):
            return values
        lengths = _lengths(column)
        starts = np.cumsum(lengths) - lengths
        if (lengths < 1).any():
            for at in np.flatnonzero(lengths < 1).tolist():
                self._flaw(at, (VALUE_MISSING, f"column {name!r}: the value is missing"))
            return np.zeros(len(column))
        lowest, highest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        for at in np.flatnonzero(lowest < highest).tolist():
            text = f"column {name!r}: has values from {lowest[at]:g} to {highest[at]:g}; a static input has one value"
            self._flaw(at, (STATIC_VARIES, text))
        return np.asarray(values[starts])

    def _note(self, found: Numbers, owners: NDArray[np.int64], name: str, item: ModelInput) -> None:
        """Notes the first fault of each row."""
        absent = np.empty(0, np.int64) if item.allow_nan else found.missing
        for places, tell in ((found.faulty, found.text), (absent, _missing_text)):
            reason = found.reason if places is found.faulty else VALUE_MISSING
            if not len(places):
                continue
            for first in places[np.unique(owners[places], return_index=True)[1]].tolist():
                owner = int(owners[first])
                event = first - int(np.searchsorted(owners, owner)) + 1
                self._flaw(owner, (reason, f"column {name!r}, event {event}: {tell(first)}"))

    def _flaw(self, at: int, flaw: Flaw) -> None:
        self.flaws.setdefault(int(self._places[at]), flaw)


def _missing_text(_: int) -> str:
    return (
        'the value is missing; if the model takes NaN for a missing value, set "allow_nan": true for its input in '
        "schema.json"
    )


def _is_list(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _flat(column: Any) -> Any:
    """All values of a column of lists; a column of values as it is."""
    return column.flatten() if _is_list(column.type) else column


def _check_list(batch: Any, name: str) -> None:
    kind = batch.column(name).type
    if not _is_list(kind):
        raise CallerError(
            f"the input, column {name!r}: holds one value ({kind}) in each row, but the model takes one for each "
            "event; write lists, or name the column that says which rows are one sequence (--entity)",
            reason="COLUMNS_DIFFER",
        )


def _lengths(column: Any) -> NDArray[np.int64]:
    """The length of each list; -1 where it is null, 1 for plain values."""
    if not _is_list(column.type):
        return np.ones(len(column), np.int64)
    return np.asarray(pc.fill_null(pc.list_value_length(column).cast(pa.int64()), -1))


def _times(batch: Any, question: BulkQuestion, flaws: dict[int, Flaw]) -> Any:
    """The times as lists of timestamps in UTC; None if there are none, or if they are plain numbers."""
    if question.time is None:
        return None
    column = batch.column(question.time)
    _check_list(batch, question.time)
    counts = np.bincount(
        np.repeat(np.arange(len(column)), np.maximum(_lengths(column), 0))[
            np.asarray(pc.is_null(_flat(column)))
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
    # A time without a zone is taken as UTC, so that the answer does not depend on the machine.
    return column.cast(pa.list_(pa.timestamp("us")), safe=False).cast(pa.list_(pa.timestamp("us", tz="UTC")))


def latest_texts(column: Any) -> list[str | None]:
    """The value of each row as text; of a list, its last one."""
    if _is_list(column.type):
        lengths = np.maximum(_lengths(column), 0)
        ends = np.cumsum(lengths) - 1
        column = column.flatten().take(pa.array(ends, mask=lengths == 0))
    return [None if value is None else _text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


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
