"""The tables of the study of alerts. Ratios say how much smaller or larger a number is now than it was before."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TypeVar

from rich.table import Table

from benchmarks.alerts.all_cores import AllCoresRow
from benchmarks.alerts.one_core import SHARES, OneCoreRound, OneCoreRow
from benchmarks.alerts.rounds import ratios, spread
from benchmarks.alerts.tiny import TinyRow
from benchmarks.growth import percentile
from benchmarks.report import ms, table

Row = TypeVar("Row", OneCoreRow, AllCoresRow)
NAMES = ("model", "version")  # the first columns
BEFORE, NOW = 0, -1  # places of the versions


def one_core_tables(rows: Sequence[OneCoreRow], commits: str) -> list[Table]:
    """Returns tables of time and load, of ratios, and of the parts of an explanation."""
    return [_measured(rows, commits), _ratios(rows), _loads(rows), _parts(rows)]


def all_cores_table(rows: Sequence[AllCoresRow], cores: int, coalitions: int) -> Table:
    """Returns the table of wall times on all cores."""
    shown = [
        [
            *_names(row),
            str(spread(_ms(row.wall))),
            _faster(versions[BEFORE].wall, row.wall),
            str(spread(_ms(row.full))),
            _faster(versions[BEFORE].full, row.full),
            str(ratios(row.full, row.bare)),
        ]
        for versions in by_model(rows)
        for row in versions
    ]
    columns = (*NAMES, "ms, defaults", "before ÷ now", "ms, full", "before ÷ now", "full ÷ bare")
    title = f"Alerts one at a time, {cores} cores; full: {coalitions} coalitions a level, target 0"
    return table(title, columns, shown)


def tiny_table(rows: Sequence[TinyRow]) -> Table:
    """Returns the table of the tiny model."""
    shown = [
        [
            row.version,
            str(spread(_ms(row.explain))),
            str(spread(_ms(row.look_up))),
            str(ratios(row.explain, row.look_up)),
        ]
        for row in rows
    ]
    columns = ("version", "p50 ms", "look-up ms", "p50 ÷ look-up")
    return table("Tiny model through gRPC, medians of the Python client's calls", columns, shown)


def by_model(rows: Iterable[Row]) -> list[list[Row]]:
    """Returns the rows of each model together, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.model, []).append(row)
    return list(found.values())


def mean(values: Sequence[float]) -> float:
    """Returns the mean, or NaN if there are no values."""
    return sum(values) / len(values) if values else float("nan")


def tail(loads: Iterable[Sequence[float]]) -> tuple[float, float]:
    """Returns p50 and p99 over the latencies of all rounds; NaN if nothing was answered."""
    together = [each for load in loads for each in load] or [float("nan")]
    return percentile(together, 0.5), percentile(together, 0.99)


def _names(row: OneCoreRow | AllCoresRow) -> list[str]:
    return [row.model, row.version]


def _faster(before: Sequence[float], seconds: Sequence[float]) -> str:
    return "" if seconds is before else str(ratios(before, seconds))


def _measured(rows: Sequence[OneCoreRow], commits: str) -> Table:
    shown = [
        [
            *_names(row),
            str(row.alerts),
            str(spread(_ms(_over(row, _wall)))),
            str(spread(_ms(_over(row, _cpu)))),
            f"{mean(_over(row, _rows)):.0f}",
            str(sum(each.failures for each in row.rounds)),
            f"{1000 * max(each.stood_still for each in row.rounds):.0f}",
        ]
        for row in rows
    ]
    columns = (*NAMES, "alerts", "wall ms", "CPU ms", "rows", "failed", "stood still ms")
    return table(f"Alerts one at a time, one core for the server ({commits})", columns, shown)


def _ratios(rows: Sequence[OneCoreRow]) -> Table:
    shown = []
    for versions in by_model(rows):
        old, new = versions[BEFORE], versions[NOW]
        fewer = [ratios(_over(old, what), _over(new, what)) for what in (_wall, _cpu, _rows)]
        faster = ratios(_over(new, _per_second), _over(old, _per_second))
        shown.append([old.model, *map(str, (*fewer, faster))])
    columns = ("model", "wall: before ÷ now", "CPU", "rows", "a second: now ÷ before")
    return table("Alerts: ratios, with their range over rounds", columns, shown)


def _loads(rows: Sequence[OneCoreRow]) -> Table:
    shown = []
    for row in rows:
        saturated = mean([each.saturated_rows for each in row.rounds])
        cells = [*_names(row), str(spread(_over(row, _per_second))), f"{saturated:.0f}"]
        for place in range(len(SHARES)):
            p50, p99 = tail(each.loads[place] for each in row.rounds)
            cells += [ms(p50), ms(p99), f"{p99 / p50:.1f}"]
        shown.append(cells)
    columns = [what for share in SHARES for what in (f"{share:.0%}: p50 ms", "p99", "p99 ÷ p50")]
    title = "Alerts, one core for the server: saturation, and random times at shares of it"
    return table(title, (*NAMES, "a second", "rows", *columns), shown)


def _parts(rows: Sequence[OneCoreRow]) -> Table:
    shown = [
        [versions[BEFORE].model, name, *(f"{1000 * _part(row, name):.2f}" for row in versions)]
        for versions in by_model(rows)
        for name in dict.fromkeys(name for row in versions for each in row.rounds for name in each.parts)
    ]
    columns = ("model", "part", *(row.version for row in next(iter(by_model(rows)), [])))
    return table("Parts of an alert alone, in ms (some contain others)", columns, shown)


def _wall(one: OneCoreRound) -> float:
    return mean(one.wall)


_cpu, _rows, _per_second = attrgetter("cpu"), attrgetter("rows"), attrgetter("per_second")


def _part(row: OneCoreRow, name: str) -> float:
    return mean(_over(row, lambda each: each.parts.get(name, 0.0)))


def _over(row: OneCoreRow, what: Callable[[OneCoreRound], float]) -> list[float]:
    return [what(each) for each in row.rounds]


def _ms(seconds: Sequence[float]) -> list[float]:
    return [1000 * each for each in seconds]
