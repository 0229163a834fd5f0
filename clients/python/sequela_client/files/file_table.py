"""A table as its file holds it: rows of cells, oldest event first, and the names of the columns where there are any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sequela_client.errors import CallerError
from sequela_client.files.cells import Cell, is_missing, number
from sequela_client.files.text_format import invalid


@dataclass(frozen=True, slots=True)
class FileTable:
    """`names`: one for each column, or none. `remark`: names that only a comment line holds. `lines`: where each row
    stands in the file, counted in `unit`s. `decimal`: the decimal mark of texts. `seen`: how the file was read.
    """

    path: Path
    rows: tuple[tuple[Cell, ...], ...]
    lines: tuple[int, ...]
    names: tuple[str, ...] = ()
    remark: tuple[str, ...] = ()
    unit: str = "line"
    decimal: str = "."
    seen: str = ""

    @property
    def width(self) -> int:
        """Its number of columns."""
        return len(self.rows[0]) if self.rows else len(self.names)

    def column(self, index: int) -> tuple[Cell, ...]:
        """One column, from top to bottom."""
        return tuple(row[index] for row in self.rows)

    def title(self, index: int) -> str:
        """How a message names a column."""
        return f"column {index + 1}" + (f" ({self.names[index]})" if self.names and self.names[index] else "")

    def place(self, row: int, index: int) -> str:
        """How a message names a cell."""
        return f"{self.unit} {self.lines[row]}, {self.title(index)}"

    def refusal(self, what: str) -> CallerError:
        """An error about this file."""
        return invalid(self.path, what)

    def number(self, row: int, index: int) -> float | int:
        """A cell's number; NaN where its value is missing. Raises CallerError, naming the cell."""
        try:
            return number(self.rows[row][index], self.decimal)
        except ValueError as error:
            raise self.refusal(f"{self.place(row, index)}: {error}{self._how()}") from error

    def present(self, row: int, index: int) -> float | int:
        """A cell's number. Raises CallerError where it is missing as well."""
        if is_missing(self.rows[row][index]):
            raise self.missing(row, index)
        return self.number(row, index)

    def missing(self, row: int, index: int, why: str = "") -> CallerError:
        """An error about a missing value."""
        cell = self.rows[row][index]
        written = f" ({cell!r})" if isinstance(cell, str) and cell else ""
        advice = (
            why or 'if the model reads NaN as "missing", say "allow_nan": true for its input in schema.json'
        )
        return self.refusal(f"{self.place(row, index)}: the value is missing{written}; {advice}")

    def picked(self, rows: Iterable[int]) -> FileTable:
        """The same with these rows, in this order."""
        chosen = list(rows)
        return replace(
            self,
            rows=tuple(self.rows[row] for row in chosen),
            lines=tuple(self.lines[row] for row in chosen),
        )

    def _how(self) -> str:
        return f" (read with {self.seen})" if self.seen else ""


def numbers(table: FileTable, columns: Sequence[int] | None = None) -> NDArray[np.float64]:
    """The columns as numbers, in this order. Raises CallerError for what is no number, or missing."""
    order = range(table.width) if columns is None else columns
    return np.array(
        [[table.present(row, index) for index in order] for row in range(len(table.rows))], np.float64
    ).reshape(len(table.rows), len(order))
