"""The tables of the study of bulk explanation."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table

from benchmarks.bulk.agreement import Agreement
from benchmarks.bulk.killed_run import KilledRow
from benchmarks.bulk.question import COALITIONS
from benchmarks.report import table


@dataclass(frozen=True, slots=True)
class Row:
    """One way to explain many sequences.

    Args:
        name: the way.
        sequences: how many were explained.
        seconds: wall time after the start.
        start_seconds: the time of the start, if it was measured.
        peak_mb: the largest memory of the process with its children; NaN if it was not read.
        quarters_mb: the mean memory in the second and in the last quarter of the run, which are equal if it is flat.
    """

    name: str
    sequences: int
    seconds: float
    start_seconds: float = float("nan")
    peak_mb: float = float("nan")
    quarters_mb: tuple[float, float] = (float("nan"), float("nan"))

    @property
    def rate(self) -> float:
        """Sequences a second."""
        return self.sequences / self.seconds


def ways(rows: Sequence[Row]) -> Table:
    """All ways to explain many sequences; explain_all is the first."""
    best = rows[0].rate
    lines = [
        [
            row.name,
            f"{row.sequences:,}",
            f"{row.rate:.3g}",
            f"{best / row.rate:.1f}×",
            *(
                "" if np.isnan(value) else f"{value:.3g}"
                for value in (row.start_seconds, row.peak_mb, *row.quarters_mb)
            ),
        ]
        for row in rows
    ]
    columns = (
        "",
        "sequences",
        "a second",
        "explain_all is faster",
        "start s",
        "peak MB",
        "2nd quarter",
        "last quarter",
    )
    return table(f"Bulk: events and features, {COALITIONS} coalitions", columns, lines)


def _known(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3g}"


def killed_run(row: KilledRow) -> Table:
    """The run that was killed and resumed."""
    columns = (
        "killed after",
        "in files",
        "of",
        "undisturbed s",
        "killed + resumed s",
        "lost s",
        "files equal",
    )
    line = [
        f"{row.done:,} sequences",
        f"{row.kept:,}",
        f"{row.sequences:,}",
        f"{row.seconds_whole:.1f}",
        f"{row.seconds_killed:.1f} + {row.seconds_resumed:.1f}",
        f"{row.seconds_lost:.1f}",
        "yes" if row.equal else "NO",
    ]
    return table("Killed at half and resumed", columns, [line])


def agreement_table(found: Agreement) -> Table:
    """How far the explanations agree with timeshap's."""
    line = [f"{value:.2g}" if isinstance(value, float) else str(value) for value in asdict(found).values()]
    names = (
        "sequences",
        "same cut",
        "exact events",
        "largest difference of t = 0",
        "RMS difference of features",
    )
    return table("Agreement with timeshap", names, [line])
