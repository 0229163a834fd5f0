"""Prints an explanation: a summary in words, the warnings, and the tables."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sequela_client.cli.level_tables import print_levels
from sequela_client.cli.option_flags import with_flags
from sequela_client.cli.terminal import print_wrapped
from sequela_client.explanation import Explanation
from sequela_client.printable_text import printable
from sequela_client.summary import has_summary, summary_lines


def report(console: Console, answer: Explanation, rows: int) -> None:
    """Prints the report.

    Args:
        console: where to print it.
        answer: the explanation.
        rows: the largest number of rows in each table.
    """
    summarised = has_summary(answer)
    if summarised:
        first, *lines = summary_lines(answer)
        console.print(Text(first, style="bold"))
        for line in lines:
            print_wrapped(console, line, " " * 5 if line.startswith(" ") else "")
        console.print()
    for warning in answer.warnings:
        print_wrapped(console, f"Note: {with_flags(printable(warning.message))}", " " * 6)
    if summarised:
        console.rule("In numbers")
    print_levels(console, answer, rows)
