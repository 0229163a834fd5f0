"""The table in a file: rows of cells, oldest event first, and the names of the columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sequela_client.errors import CallerError
from sequela_client.files.cells import Cell, is_missing, number
from sequela_client.files.text_format import file_error


@dataclass(frozen=True, slots=True)
class FileTable:
    """A table in a file.

    Args:
        path: the file.
        rows: the cells of each row.
        lines: the place of each row in the file, counted in `unit`s.
        names: one for each column, or none.
        remark: the names of columns that a comment gives, if there is no header.
        unit: line, row or record.
        decimal: the decimal mark of numbers in text.
        seen: how the file was read, for messages.
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
        """The number of columns."""
        return len(self.rows[0]) if self.rows else len(self.names)

    def column(self, index: int) -> tuple[Cell, ...]:
        """Returns the cells of a column."""
        return tuple(row[index] for row in self.rows)

    def title(self, index: int) -> str:
        """Returns the name of a column for messages."""
        return f"column {index + 1}" + (f" ({self.names[index]})" if self.names and self.names[index] else "")

    def place(self, row: int, index: int) -> str:
        """Returns the name of a cell for messages."""
        return f"{self.unit} {self.lines[row]}, {self.title(index)}"

    def refusal(self, what: str) -> CallerError:
        """Returns an error about this file."""
        return file_error(self.path, what)

    def number(self, row: int, index: int) -> float | int:
        """Returns the number in a cell; NaN if it is missing. Raises CallerError, which names the cell."""
        try:
            return number(self.rows[row][index], self.decimal)
        except ValueError as error:
            raise self.refusal(f"{self.place(row, index)}: {error}{self._how()}") from error

    def present(self, row: int, index: int) -> float | int:
        """Returns the number in a cell. Raises CallerError if it is missing or not a number."""
        if is_missing(self.rows[row][index]):
            raise self.missing(row, index)
        return self.number(row, index)

    def missing(self, row: int, index: int, why: str = "") -> CallerError:
        """Returns an error about a missing value."""
        cell = self.rows[row][index]
        written = f" ({cell!r})" if isinstance(cell, str) and cell else ""
        advice = (
            why
            or 'if the model takes NaN for a missing value, set "allow_nan": true for its input in schema.json'
        )
        return self.refusal(f"{self.place(row, index)}: the value is missing{written}; {advice}")

    def picked(self, rows: Iterable[int]) -> FileTable:
        """Returns the table of these rows, in this order."""
        chosen = list(rows)
        return replace(
            self,
            rows=tuple(self.rows[row] for row in chosen),
            lines=tuple(self.lines[row] for row in chosen),
        )

    def _how(self) -> str:
        return f" (read with {self.seen})" if self.seen else ""


def numbers(table: FileTable, columns: Sequence[int] | None = None) -> NDArray[np.float64]:
    """Converts columns to numbers, (rows, columns). Raises CallerError if a cell is missing or not a number."""
    order = range(table.width) if columns is None else columns
    return np.array(
        [[table.present(row, index) for index in order] for row in range(len(table.rows))], np.float64
    ).reshape(len(table.rows), len(order))
