"""Measures the server's peak memory above its idle memory, for the longest sequence."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import gru
from benchmarks.effort import Effort
from benchmarks.ours import serving
from benchmarks.report import Finding, table

LENGTH = 2187  # events in the longest sequence of TimeSHAP's data (KDD 2021, Table 1)


@dataclass(frozen=True, slots=True)
class Row:
    """Memory in MB: that of the idle server, and how much more it was during explanations."""

    case: str
    coalitions: int
    idle_mb: float
    above_mb: float


def study(effort: Effort, folder: Path) -> Finding:
    """Starts a server, and measures it during two explanations."""
    case = gru(folder, LENGTH)
    with serving() as server:
        options = {"max_coalitions": effort.coalitions, "target_standard_error": 0.0}
        above = max(server.explain(case, seed, **options).peak_mb for seed in range(2))
        row = Row(case.name, effort.coalitions, server.idle_mb, above)
    shown = [[row.case, str(row.coalitions), f"{row.idle_mb:.0f}", f"{row.above_mb:.0f}"]]
    columns = ("case", "coalitions", "idle MB", "peak above idle MB")
    return Finding("memory", [row], [table("The server's memory", columns, shown)])
