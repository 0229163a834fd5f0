"""Draws charts as SVG and PNG. Only this module needs matplotlib, and only `make bench` installs it."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.report import Chart

ENDINGS = ("svg", "png")
INCHES = (6.4, 3.6)


def draw(chart: Chart, folder: Path) -> list[Path]:
    """Writes the charts and returns their files."""
    mpl.rcParams["svg.hashsalt"] = chart.file  # so that the same numbers give the same file
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.add_subplot()
    for name, (x, y) in chart.lines.items():
        axes.plot(x, y, marker="o", markersize=3, label=name)
    axes.set(title=chart.title, xlabel=chart.x, ylabel=chart.y)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if len(chart.lines) > 1:
        axes.legend()
    paths = [folder / f"{chart.file}.{ending}" for ending in ENDINGS]
    for path in paths:
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths
