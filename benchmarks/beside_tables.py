"""The tables of explanations beside those of other explainers."""

from collections.abc import Sequence
from math import isnan

from rich.table import Table

from benchmarks.beside import DEFAULTS, OURS, Row
from benchmarks.report import ms, table

LEVELS = ("event", "feature", "cell")


def tables(rows: Sequence[Row]) -> list[Table]:
    """Returns a table of all measurements, and one that says how many times as fast Sequela is."""
    return [_measured(rows), _ratios(rows)]


def ratio(rows: Sequence[Row], ours: Row, peers: str) -> float:
    """Returns how many times as fast as another explainer Sequela is.

    `peers` is the name of the explainer, such as `timeshap` or `timeshap, states`. If it was measured with two ways to
    call the model, the faster one counts.
    """
    ways = (peers, f"{peers}, 256 rows a call")
    times = [row.median for row in rows if row.case == ours.case and row.explainer in ways]
    return min((time for time in times if not isnan(time)), default=float("nan")) / ours.median


def _measured(rows: Sequence[Row]) -> Table:
    columns = ("explainer", "ms", "÷ bare", "RMSE events", "features", "cells", "rows", "peak MB")
    shown = []
    for case in dict.fromkeys(row.case for row in rows):
        mine = [row for row in rows if row.case == case]
        shown.append([f"[bold]{case}, {mine[0].unpruned} unpruned[/bold]", *[""] * (len(columns) - 1)])
        shown += [_line(row) for row in mine]
    made = table("Explanations: pruning and all levels (shap, captum: events and features)", columns, shown)
    made.caption = "\n".join(f"{row.case}, {row.explainer}: {row.failed}" for row in rows if row.failed)
    made.caption_justify = "left"
    return made


def _line(row: Row) -> list[str]:
    if row.failed:
        return [f"  {row.explainer}", *["-"] * 7]
    return [
        f"  {row.explainer}",
        ms(row.median),
        _number(row.median / row.bare_seconds, ".2f"),
        *(_number(row.errors.get(level, float("nan")), ".2g") for level in LEVELS),
        str(row.rows),
        f"{row.peak_mb:.0f}",
    ]


def _ratios(rows: Sequence[Row]) -> Table:
    peers = tuple(dict.fromkeys(row.explainer.removesuffix(", 256 rows a call") for row in rows))
    peers = tuple(peer for peer in peers if peer not in (OURS, DEFAULTS))
    shown = []
    for ours in (row for row in rows if row.explainer in (OURS, DEFAULTS)):
        numbers = [_number(ratio(rows, ours, peer), ".0f") for peer in peers]
        shown.append([f"{ours.case}: {ours.explainer}", ms(ours.median), *numbers])
    return table("Times as fast as the faster way to call the model", ("", "ms", *peers), shown)


def _number(value: float, form: str) -> str:
    return "-" if isnan(value) else format(value, form)
