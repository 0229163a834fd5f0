"""Reads files with one row for each sequence, whose columns are lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sequela_client.cohort.batches import REPEATED, ROW
from sequela_client.cohort.ids import id_texts
from sequela_client.cohort.sources.scan import Scan, name_literal
from sequela_client.cohort.sources.time_text import time_form
from sequela_client.errors import CallerError

# How many ids are read at a time.
_IDS = 1 << 16
# Times that are read to find out how they are written.
_SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class SequenceTable:
    """A table of sequences.

    Args:
        scan: the files. Lists in CSV are written as [1, 2, 3].
        id: the column of the ids; None: rows are numbered.
        time: the column with the times of the events; None: there is none.
        decimal: the decimal mark of numbers in CSV files.
    """

    scan: Scan
    id: str | None
    time: str | None = None
    decimal: str = "."

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.scan.columns())

    def count(self) -> int:
        """Returns the number of sequences."""
        return int(self.scan.query(f"SELECT count(*) FROM {self.scan.sql}")[0][0])

    def first(self, column: str) -> str | None:
        """A value of a column that is not missing."""
        return self.scan.first(column)

    def batches(self, wanted: Sequence[str], rows: int) -> Iterator[Any]:
        """Yields RecordBatches of these columns, in the order of the files.

        Args:
            wanted: the columns.
            rows: how many sequences a batch has at most.
        """
        names = list(dict.fromkeys([*wanted, *([self.id] if self.id else [])]))
        columns = ", ".join(f"{self._value(name)} AS {name_literal(name)}" for name in names)
        known = self._repeated()
        row, seen = 0, set[str]()
        for batch in self.scan.batches(f"SELECT {columns} FROM {self.scan.sql}", rows):
            positions = pa.array(np.arange(row, row + len(batch)))
            again = pa.array(self._again(batch, known, seen), pa.bool_())
            yield pa.RecordBatch.from_arrays(
                [positions, again, *batch.columns], names=[ROW, REPEATED, *batch.schema.names]
            )
            row += len(batch)

    def _repeated(self) -> frozenset[str]:
        """Returns the ids that occur more than once. There are usually few."""
        if self.id is None:
            return frozenset()
        id = name_literal(self.id)
        sql = f"SELECT {id} FROM {self.scan.sql} WHERE {id} IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
        # Arrow and DuckDB write numbers and times differently as text, so both lists of ids must be made by Arrow.
        found = (id_texts(self.id, batch.column(0)) for batch in self.scan.batches(sql, _IDS))
        return frozenset(each for texts in found for each in texts if each is not None)

    def _again(self, batch: Any, known: frozenset[str], seen: set[str]) -> list[bool]:
        if not known or self.id is None:
            return [False] * len(batch)
        found = []
        for id in id_texts(self.id, batch.column(self.id)):
            found.append(id in seen)
            if id is not None and id in known:
                seen.add(id)
        return found

    def _value(self, name: str) -> str:
        """Returns the SQL for a column. A column of a CSV file becomes lists of texts if its first cell is a list, and
        times that are texts are parsed.
        """
        if name == self.id:
            return name_literal(name)
        kind, value = self._typed(name)
        if name != self.time or kind != "VARCHAR[]":
            return value
        texts = f"SELECT unnest({value}) AS text FROM {self.scan.sql}"
        form = time_form(name, self.scan.query, texts, _SAMPLE)
        return f"[{form.value('each_time')} FOR each_time IN {value}]"

    def _typed(self, name: str) -> tuple[str, str]:
        """DuckDB's type of a column, and the column as SQL."""
        if self.scan.kind != "csv":
            return self.scan.columns()[name], name_literal(name)
        text = (self.first(name) or "").replace(" ", "")
        kind = "VARCHAR[][]" if text.startswith("[[") else "VARCHAR[]" if text.startswith("[") else "VARCHAR"
        if kind != "VARCHAR" and self.decimal != "." and name != self.time:
            raise CallerError(
                f"column {name!r}: has lists, whose values are separated by commas, so that numbers in them have "
                "decimal points; write them so, and leave out --decimal (decimal= in Python)",
                reason="DECIMAL_IN_LIST",
            )
        # Without trim, DuckDB casts while it reads the file, and ends at the first cell that is not a list.
        return kind, f"try_cast(trim({name_literal(name)}) AS {kind})"
