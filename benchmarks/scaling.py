"""Measures how the time of an explanation grows with events, coalitions and features."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, gru
from benchmarks.effort import Effort
from benchmarks.growth import Growth, growth
from benchmarks.ours import Ours, serving
from benchmarks.report import Chart, Finding, ms, table

LENGTHS = (125, 250, 500, 1000, 2000)
WIDTHS = (10, 20, 45, 90, 180)
DOUBLINGS = 5  # number of points, each with twice the coalitions of the one before, up to the effort's
RECENT = 10  # number of events in the sweep over features


@dataclass(frozen=True, slots=True)
class Row:
    """One sweep: the median times in seconds, and how they grow."""

    over: str
    what: str
    x: tuple[int, ...]
    seconds: tuple[float, ...]
    growth: Growth


Point = tuple[int, Case, dict[str, Any]]
"""x, the case that is explained, and the options."""


def study(effort: Effort, folder: Path) -> Finding:
    """Runs all sweeps on one server."""
    top = effort.coalitions
    with serving() as server:
        rows = [
            _sweep(server, effort, "events", f"10 unpruned events, {top} coalitions", _events(folder, top)),
            _sweep(server, effort, "coalitions", "286 events of 45 features", _coalitions(folder, top)),
            _sweep(server, effort, "features", f"10 events, {top} coalitions", _features(folder, top)),
        ]
    shown = [
        [row.over, row.what, " ".join(map(ms, row.seconds)), f"{row.growth.exponent:.2f}", _fit(row)]
        for row in rows
    ]
    title = "Growth: time ~ x^exponent; 1 is linear, 0 constant"
    columns = ("over", "with", "ms", "exponent", "R² of a line")
    return Finding("scaling", rows, [table(title, columns, shown)], [_chart(row) for row in rows])


def _sweep(server: Ours, effort: Effort, over: str, what: str, points: Iterable[Point]) -> Row:
    x, seconds = [], []
    for at, case, options in points:
        done = server.repeat(case, effort, target_standard_error=0.0, **options)
        x.append(at)
        seconds.append(float(np.median([each.seconds for each in done])))
    return Row(over, what, tuple(x), tuple(seconds), growth(x, seconds))


def _events(folder: Path, coalitions: int) -> Iterator[Point]:
    """Yields the sweep over events. It takes the most recent events of one long alert, so that the same events stay
    unpruned.
    """
    longest = gru(folder, max(LENGTHS))
    for length in LENGTHS:
        inputs = {name: values[-length:] for name, values in longest.inputs.items()}
        yield length, replace(longest, inputs=inputs), {"max_coalitions": coalitions}


def _coalitions(folder: Path, most: int) -> Iterator[Point]:
    """Yields the sweep over coalitions, of the feature level only.

    At the other levels, all coalitions may be fewer than the number that is asked for.
    """
    case = gru(folder, 286)
    for halvings in reversed(range(DOUBLINGS)):
        yield most >> halvings, case, {"max_coalitions": most >> halvings, "levels": ["feature"]}


def _features(folder: Path, coalitions: int) -> Iterator[Point]:
    """Yields the sweep over features, with a model for each; there are as many players as features."""
    for width in WIDTHS:
        options = {"max_coalitions": coalitions, "levels": ["feature"], "pruning_tolerance": 0.0}
        yield width, gru(folder, RECENT, width=width), options


def _fit(row: Row) -> str:
    return f"{row.growth.r_squared:.3f}"


def _chart(row: Row) -> Chart:
    """Returns a chart of the measured points and of the line that was fitted to them."""
    line = [row.growth.intercept + row.growth.slope * x for x in row.x]
    lines = {"measured": (row.x, [1000 * s for s in row.seconds]), "line": (row.x, [1000 * s for s in line])}
    title = f"Time over {row.over}: {row.what}"
    return Chart(f"scaling_{row.over}", title, row.over, "ms", lines)
