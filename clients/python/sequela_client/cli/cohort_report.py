"""`sequela report`: what a cohort says, in the terminal and as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sequela_client.cli.cohort_tables import print_tables
from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.terminal import print_wrapped, terminal, waiting
from sequela_client.printable_text import printable

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort
    from sequela_client.cohort.report_tables import ReportChoices

ROWS, OUTPUT, SECTIONS = "Rows", "Output", "Sections"

EPILOG = """\b
Examples:
  sequela report cohort/
  sequela report cohort/ --html report.html --by age --outcome fraud=1
  sequela report cohort/ --html report.html --period 2026-01 --period 2026-02
  sequela report old/ --html report.html --compare new/
"""


def _periods(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) not in {0, 2}:
        raise click.BadParameter("give it twice, before and after")
    return values


@click.command("report", cls=GroupedCommand, short_help="Report on many explained sequences.", epilog=EPILOG)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@option(ROWS, "--variant", metavar="NAME", help="The variant to report on, such as checkpoint=200 or seed=3.")
@option(ROWS, "--where", metavar="SQL", help="Only rows that meet this condition, such as 'score > 0.5'.")
@option(
    OUTPUT, "--html", type=click.Path(path_type=Path), metavar="FILE", help="Write the report to this file."
)
@option(OUTPUT, "--title", default="Report on a cohort", metavar="TEXT", help="The title of the page.")
@option(
    SECTIONS,
    "--compare",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Compare with another cohort on the same sequences; repeatable, if its parts are in several folders.",
)
@option(
    SECTIONS,
    "--compare-variant",
    metavar="NAME",
    help="The other variant. Without --compare, of the same cohort.",
)
@option(
    SECTIONS,
    "--by",
    metavar="NAME",
    help="Compare groups of sequences by this label, or by this feature's value at the latest event.",
)
@option(
    SECTIONS,
    "--feature",
    metavar="NAME",
    help="The feature whose attribution is compared between groups. [default: the strongest]",
)
@option(
    SECTIONS,
    "--outcome",
    metavar="LABEL=VALUE",
    help="The label that says what really happened, and its positive value, for false positive rates.",
)
@option(
    SECTIONS,
    "--threshold",
    type=float,
    default=0.5,
    show_default=True,
    metavar="SCORE",
    help="The raw score, before any link, from which a prediction is positive.",
)
@option(
    SECTIONS,
    "--period",
    "periods",
    multiple=True,
    callback=_periods,
    metavar="PERIOD",
    help="Drift between two periods: give it twice. A year, month or day, two times with a slash between, or a value "
    "of --period-label.",
)
@option(SECTIONS, "--period-label", metavar="NAME", help="The label that says the period of a sequence.")
@option(
    SECTIONS,
    "--pruning-tolerance",
    "tolerances",
    type=click.FloatRange(min=0, min_open=True),
    multiple=True,
    metavar="ETA",
    help="A tolerance of the table on pruning; repeatable. [default: those of TimeSHAP's Table 1]",
)
@option(
    SECTIONS,
    "--max-coalitions",
    "coalitions",
    type=click.IntRange(min=2),
    default=32_768,
    show_default=True,
    metavar="N",
    help="Sequences with at most log2(N) events count as exactly computable.",
)
def cohort_report(folders: tuple[Path, ...], html: Path | None, **values: Any) -> None:
    """Reports on the sequences that `sequela explain-all` explained: which events and features matter over all of them,
    what pruning did, and how far the numbers can be relied on.

    A short summary is printed, and after it tables of groups, drift and comparison, if options ask for them. --html
    writes the whole report, with figures and all tables. docs/cohorts.md explains them.
    """
    from sequela_client.cohort.summary import sentences  # noqa: PLC0415

    whole = _opened(folders)
    cohort = _chosen(whole, values["variant"], values["where"])
    choices = _choices(_other(whole, values), values)
    console = terminal()
    with waiting("reading"):
        lines = sentences(cohort)
    for line in lines:
        print_wrapped(console, printable(line), "  ")
    for note in print_tables(console, cohort, choices):
        click.echo(printable(f"Note: {note}"), err=True)
    if html is not None:
        _write(html, _page(cohort, choices))
        click.echo(printable(f"The report is in {html}."), err=True)


def _opened(folders: tuple[Path, ...]) -> Cohort:
    # The other commands have to run without the packages that cohorts need.
    from sequela_client.cohort.dataset import Cohort  # noqa: PLC0415

    return Cohort.open(*folders)


def _chosen(cohort: Cohort, variant: str | None, condition: str | None) -> Cohort:
    if condition is not None:
        cohort = cohort.where(condition)
    return cohort if variant is None else cohort.variant(variant)


def _other(whole: Cohort, values: dict[str, Any]) -> Cohort | None:
    """The cohort to compare with; None if none was named."""
    if not values["compare"] and values["compare_variant"] is None:
        return None
    other = _opened(values["compare"]) if values["compare"] else whole
    return _chosen(other, values["compare_variant"], values["where"])


def _choices(other: Cohort | None, values: dict[str, Any]) -> ReportChoices:
    from sequela_client.cohort.report_tables import ReportChoices, check  # noqa: PLC0415

    before, after = values["periods"] or (None, None)
    choices = ReportChoices(
        title=values["title"],
        compare=other,
        by=values["by"],
        feature=values["feature"],
        outcome=values["outcome"],
        threshold=values["threshold"],
        before=before,
        after=after,
        period_label=values["period_label"],
        tolerances=values["tolerances"] or None,
        coalitions=values["coalitions"],
    )
    check(choices)
    return choices


def _page(cohort: Cohort, choices: ReportChoices) -> str:
    from sequela_client.cohort.report_page import report_html  # noqa: PLC0415

    with waiting("drawing"):
        # What cannot be shown was said when the tables were printed.
        return report_html(cohort, choices)


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error
