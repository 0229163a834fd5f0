"""Reads the events of chosen sequences: weights and displayed values, all events of a batch at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import compute, parquet

from sequela_console.cohorts.attribute_values import AttributeValues
from sequela_console.cohorts.event_spec import WeightKind
from sequela_console.cohorts.sequence_table import Numbers, SequenceTable

Floats = NDArray[np.float64]

WEIGHT_MAXIMUM = 65_535
"""Weights from 0 to 1 are whole numbers up to this one, so that sums are exact."""

# Places (rows times steps) that are held at once.
_PLACES = 2_000_000


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Events in the order of their sequences, and within a sequence from the oldest to the latest.

    Args:
        sequences: the number of the sequence.
        steps: 0 is the oldest step that is shown; the latest event of a sequence is at the last step.
        weights: from 0 to WEIGHT_MAXIMUM.
        unweighted: events that are left out, since their row has no weights.
    """

    sequences: Numbers
    steps: Numbers
    weights: NDArray[np.uint16]
    unweighted: int


def read_events(
    files: tuple[Path, ...],
    table: SequenceTable,
    weight: WeightKind,
    steps: int,
    values: AttributeValues,
) -> EventColumns:
    """Returns the events of the sequences, and adds their values to `values`, in the order of the files."""
    numbers = _numbers_by_place(table)
    found: list[tuple[Numbers, Numbers, NDArray[np.uint16]]] = []
    unweighted = 0
    for batch, sequences in _chosen(files, numbers, max(1, _PLACES // steps)):
        rows = _Rows(batch, sequences, table.own[sequences], steps)
        weights = rows.scaled(rows.attributions() if weight is WeightKind.ATTRIBUTION else rows.own_weights())
        shown = rows.exists & np.isfinite(weights)
        unweighted += int(np.count_nonzero(rows.exists & ~shown))
        local, step = np.nonzero(shown)
        found.append((sequences[local], step, np.rint(weights[shown] * WEIGHT_MAXIMUM).astype(np.uint16)))
        values.add(batch, rows.place_of_t, shown)
    return _joined(found, unweighted, values)


def _joined(
    found: list[tuple[Numbers, Numbers, NDArray[np.uint16]]], unweighted: int, values: AttributeValues
) -> EventColumns:
    """Puts events into the order of the sequences, which need not be that of the files."""
    empty = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint16))
    sequences, steps, weights = (np.concatenate(parts) for parts in zip(*(found or [empty]), strict=True))
    order = np.argsort(sequences, kind="stable")
    values.reorder(order)
    return EventColumns(sequences[order], steps[order], weights[order], unweighted)


def _numbers_by_place(table: SequenceTable) -> Numbers:
    """Returns the number of the sequence at each place of the files, −1 for rows that were not chosen."""
    last = int(table.places.max()) + 1 if len(table.places) else 0
    numbers = np.full(last, -1, np.int64)
    numbers[table.places] = np.arange(len(table.places))
    return numbers


def _chosen(files: tuple[Path, ...], numbers: Numbers, size: int) -> Iterator[tuple[Any, Numbers]]:
    """Yields batches of chosen rows, and the numbers of their sequences."""
    place = 0
    for file in files:
        with parquet.ParquetFile(file) as opened:
            for batch in opened.iter_batches(size, columns=["events", "event_values", "event_weights"]):
                here = numbers[place : place + len(batch)]
                place += len(batch)
                kept = np.flatnonzero(here >= 0)
                if len(kept):
                    yield batch.take(kept), here[kept]


class _Rows:
    """The rows of a batch as arrays of rows × steps."""

    def __init__(self, batch: Any, sequences: Numbers, own: Numbers, steps: int) -> None:
        self.batch = batch
        self.steps = steps
        self.count = len(sequences)
        # The latest event is at the last step, and events before the pruning cut have no values of their own.
        self.exists = np.arange(steps)[None, :] >= steps - own[:, None]

    def place_of_t(self, rows: Numbers, t: Numbers) -> Numbers:
        """Returns the place of events in an array of rows × steps; −1 for those that are too old to be shown."""
        step = t + self.steps - 1
        return np.where((step >= 0) & (t <= 0), rows * self.steps + step, -1)

    def attributions(self) -> tuple[Numbers, Numbers, Floats]:
        """Returns row, t and attribution of all events that have one."""
        rows, events = flat_lists(self.batch["events"])
        return rows, _numpy(events.field("t")), _numpy(events.field("value"))

    def own_weights(self) -> tuple[Numbers, Numbers, Floats]:
        """Returns row, t and the model's own weight of all events; the lists begin with the latest event."""
        column = self.batch["event_weights"]
        rows, weights = flat_lists(column)
        lengths = _lengths(column)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return rows, starts - np.arange(len(rows)), _numpy(weights)

    def scaled(self, events: tuple[Numbers, Numbers, Floats]) -> Floats:
        """Returns |value| divided by the largest of the sequence; 0 where all are 0, NaN where there is none."""
        rows, t, values = events
        sizes = np.abs(values)
        largest = np.zeros(self.count)
        np.maximum.at(largest, rows, np.nan_to_num(sizes))
        divisor = np.where(largest > 0, largest, 1.0)
        places = self.place_of_t(rows, t)
        found = np.full(self.count * self.steps, np.nan)
        found[places[places >= 0]] = (sizes / divisor[rows])[places >= 0]
        return found.reshape(self.count, self.steps)


def flat_lists(column: Any) -> tuple[Numbers, Any]:
    """Returns all items of a column of lists one after the other, and the row of each."""
    lengths = _lengths(column)
    return np.repeat(np.arange(len(column)), lengths), column.flatten()


def _lengths(column: Any) -> Numbers:
    return np.asarray(compute.fill_null(compute.list_value_length(column), 0), dtype=np.int64)


def _numpy(column: Any) -> Any:
    return column.to_numpy(zero_copy_only=False)
