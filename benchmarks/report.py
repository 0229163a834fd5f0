"""What a study hands back: numbers for the file, tables for the terminal, charts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.effort import Effort

Line = tuple[Sequence[float], Sequence[float]]
"""x and y."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines by their names; `file` is its name without an ending."""

    file: str
    title: str
    x: str
    y: str
    lines: Mapping[str, Line]


@dataclass(frozen=True, slots=True)
class Finding:
    """`rows`: dataclasses, one for each measurement. `files`: others to keep."""

    name: str
    rows: Sequence[Any]
    tables: Sequence[Table]
    charts: Sequence[Chart] = ()
    files: Sequence[Path] = ()


Study = Callable[[Effort, Path], Finding]
"""Measures with so much effort; the folder takes models and other files."""


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """The first column holds names, the others numbers."""
    shown = Table(title=title, title_justify="left")
    shown.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        shown.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    return shown


def ms(seconds: float) -> str:
    """Milliseconds, three digits."""
    return f"{1000 * seconds:.3g}" if seconds < 1 else f"{1000 * seconds:.0f}"
