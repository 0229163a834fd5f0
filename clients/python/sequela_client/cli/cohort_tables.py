"""The tables of `sequela report` in the terminal: groups, drift and comparison, with their most important columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from sequela_client.cli.terminal import print_wrapped
from sequela_client.printable_text import printable

if TYPE_CHECKING:
    from sequela_client.cohort.cells import TextTable
    from sequela_client.cohort.dataset import Cohort
    from sequela_client.cohort.report_tables import ReportChoices

_ATTRIBUTIONS = ("group", "n_explained", "mean", "low", "high")
_RATES = ("group", "n", "positive_rate", "false_positive_rate")
_DRIFT = ("feature", "mean_before", "mean_after", "change", "low", "high", "p_adjusted")
_COMPARISON = ("feature", "mean_first", "mean_second", "change", "low", "high", "p_adjusted")
# Rows of a table; the page has all of them.
_MOST = 10


def print_tables(console: Console, cohort: Cohort, choices: ReportChoices) -> list[str]:
    """Prints the tables that were asked for.

    Returns:
        A sentence about each table that cannot be shown.
    """
    from sequela_client.cohort.errors import NotInCohort  # noqa: PLC0415 it needs the extra `cohort`

    missing = []
    for title, make in _wanted(choices):
        try:
            found = list(make(cohort, choices))
        except NotInCohort as error:
            missing.append(f"{title} cannot be shown: {error}")
            continue
        console.print()
        console.print(title, style="bold")
        for each in found:
            if isinstance(each, str):
                print_wrapped(console, printable(each))
            else:
                console.print(_table(console, each))
    return missing


_Made = Iterator["TextTable | str"]
_Maker = Callable[["Cohort", "ReportChoices"], _Made]


def _wanted(choices: ReportChoices) -> Iterator[tuple[str, _Maker]]:
    if choices.by is not None:
        yield "Groups", _groups
    if choices.before is not None or choices.period_label is not None:
        yield "Drift", _drift
    if choices.compare is not None:
        yield "Comparison", _comparison


def _groups(cohort: Cohort, choices: ReportChoices) -> _Made:
    from sequela_client.cohort.report_tables import group_tables  # noqa: PLC0415

    yield from group_tables(cohort, choices).tables(_ATTRIBUTIONS, _RATES)


def _drift(cohort: Cohort, choices: ReportChoices) -> _Made:
    from sequela_client.cohort.report_tables import drift_tables  # noqa: PLC0415

    found = drift_tables(cohort, choices)
    yield f"{found.scores.caption}."
    yield found.features(_DRIFT, _MOST)


def _comparison(cohort: Cohort, choices: ReportChoices) -> _Made:
    from sequela_client.cohort.report_tables import comparison_tables  # noqa: PLC0415

    found = comparison_tables(cohort, choices)
    yield from found.notes
    yield found.summary
    yield found.features(_COMPARISON, _MOST)


def _table(console: Console, found: TextTable) -> Table:
    unicode = console.encoding.startswith("utf")
    table = Table(
        title=printable(found.caption),
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD if unicode else box.ASCII,
        pad_edge=False,
    )
    for heading, numeric in zip(found.headings, found.numeric, strict=True):
        table.add_column(printable(heading), justify="right" if numeric else "left", overflow="fold")
    for row in found.rows:
        table.add_row(*map(printable, row))
    return table
