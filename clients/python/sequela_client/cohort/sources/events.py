"""Reads files with one row for each event, in any order. DuckDB sorts the rows, and Arrow cuts them into sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sequela_client.cohort.batches import ROW
from sequela_client.cohort.ids import check_ids
from sequela_client.cohort.sources.scan import Scan, name_literal
from sequela_client.cohort.sources.time_text import time_form

# Rows of one batch of the sorted table.
_EVENTS = 1 << 16
_SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class EventTable:
    """A table of events.

    Args:
        scan: the files.
        entity: the column that says which events are one sequence.
        time: the column by which the events of a sequence are sorted; None: they are in order. Events with the same
            time stay in the order of the file.
    """

    scan: Scan
    entity: str
    time: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.scan.columns())

    def count(self) -> int:
        """Returns the number of sequences. All events without an entity are one sequence."""
        entity = name_literal(self.entity)
        sql = f"SELECT count(DISTINCT {entity}) + coalesce(max(({entity} IS NULL)::INT), 0) FROM {self.scan.sql}"
        return int(self.scan.query(sql)[0][0])

    def first(self, column: str) -> str | None:
        """A value of a column that is not missing."""
        return self.scan.first(column)

    def batches(self, wanted: Sequence[str], rows: int) -> Iterator[Any]:
        """Yields RecordBatches with one row for each sequence, sorted by entity, with lists of these columns.

        Args:
            wanted: the columns, besides those of entity and time.
            rows: how many sequences a batch has at most.
        """
        names = list(dict.fromkeys([*wanted, *([self.time] if self.time else [])]))
        names = [name for name in names if name != self.entity]
        row, left = 0, None
        for batch in self.scan.batches(self._sorted(names), _EVENTS):
            table = batch if left is None else pa.concat_batches([left, batch])
            check_ids(self.entity, table.schema.field(self.entity).type)
            starts = _starts(table.column(self.entity))
            # The last sequence may continue in the next batch.
            left = table.slice(int(starts[-1]))
            if len(starts) > 1:
                yield from _cut(table, starts, self.entity, row, rows)
                row += len(starts) - 1
        if left is not None and len(left):
            yield from _cut(left, np.array([0, len(left)]), self.entity, row, rows)

    def _sorted(self, names: Sequence[str]) -> str:
        entity = name_literal(self.entity)
        columns = [f"{self._value(name)} AS {name_literal(name)}" for name in names]
        by_time = [f"{self._value(self.time)} NULLS FIRST"] if self.time else []
        order = ", ".join([f"{entity} NULLS LAST", *by_time, "the_row_number_of_sequela"])
        return (
            f"SELECT {', '.join([entity, *columns])} FROM (SELECT *, row_number() OVER () AS the_row_number_of_sequela "
            f"FROM {self.scan.sql}) ORDER BY {order}"
        )

    def _value(self, name: str) -> str:
        """Returns the SQL for a column. Times that are texts are parsed, since texts do not sort as times do."""
        if name != self.time or self.scan.columns()[name] != "VARCHAR":
            return name_literal(name)
        texts = f"SELECT {name_literal(name)} AS text FROM {self.scan.sql}"
        return time_form(name, self.scan.query, texts, _SAMPLE).value(name_literal(name))


def _starts(entity: Any) -> Any:
    """Returns where each sequence begins in a sorted column of entities."""
    codes = entity if pa.types.is_dictionary(entity.type) else entity.dictionary_encode()
    ids = np.asarray(pc.fill_null(codes.indices.cast(pa.int64()), -1))
    return np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])) if len(ids) else np.zeros(1, int)


def _cut(table: Any, starts: Any, entity: str, row: int, rows: int) -> Iterator[Any]:
    """Yields the sequences between these places. Each column becomes a column of lists without copying its values."""
    first = row
    for at in range(0, len(starts) - 1, rows):
        bounds = starts[at : at + rows + 1]
        part = table.slice(int(bounds[0]), int(bounds[-1] - bounds[0]))
        offsets = pa.array((bounds - bounds[0]).astype(np.int32))
        names = [name for name in table.schema.names if name != entity]
        lists = [pa.ListArray.from_arrays(offsets, part.column(name)) for name in names]
        ids = part.column(entity).take(offsets[:-1])
        positions = pa.array(np.arange(first + at, first + at + len(bounds) - 1))
        yield pa.RecordBatch.from_arrays([positions, ids, *lists], names=[ROW, entity, *names])
