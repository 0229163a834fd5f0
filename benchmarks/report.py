"""The results of a study: numbers for the file, tables for the terminal, and charts."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.effort import Effort

Line = tuple[Sequence[float], Sequence[float]]
"""The x and y values of a line."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart. `lines` has each line by its name; `file` is the file's name without a suffix."""

    file: str
    title: str
    x: str
    y: str
    lines: Mapping[str, Line]


@dataclass(frozen=True, slots=True)
class Finding:
    """The results of a study. `rows` has a dataclass for each measurement; `files` are further files."""

    name: str
    rows: Sequence[Any]
    tables: Sequence[Table]
    charts: Sequence[Chart] = ()
    files: Sequence[Path] = ()


Study = Callable[[Effort, Path], Finding]
"""A function that measures with a given effort, and writes models and other files into a folder."""


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Returns a table whose first column has names, and whose other columns have numbers."""
    shown = Table(title=title, title_justify="left")
    shown.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        shown.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    return shown


RATE_COLUMNS = ("alerts per second", "rounds", "to the first")


def rate_cells(per_second: Sequence[float], first: Sequence[float]) -> list[str]:
    """Returns the cells below `RATE_COLUMNS`: the median of the rounds, their range, and the difference to the median
    of the first row.
    """
    median = statistics.median(per_second)
    difference = median / statistics.median(first) - 1
    return [f"{median:.1f}", f"{min(per_second):.1f}-{max(per_second):.1f}", f"{difference:+.1%}"]


def ms(seconds: float) -> str:
    """Seconds as milliseconds with three digits."""
    return f"{1000 * seconds:.3g}" if seconds < 1 else f"{1000 * seconds:.0f}"
