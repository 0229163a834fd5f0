"""All that is printed of an explanation: the story where there are words for it, what to know, then the numbers."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.text import Text

from sequela_client.cli.level_tables import draw
from sequela_client.cli.summary import has_summary, tell
from sequela_client.cli.terminal import printable
from sequela_client.explanation import Explanation


def report(console: Console, answer: Explanation, rows: int) -> None:
    """Prints it; tables of at most so many rows."""
    told = has_summary(answer)
    if told:
        first, *lines = tell(answer)
        console.print(Text(first, style="bold"))
        for line in lines:
            _wrapped(console, line, " " * 5 if line.startswith(" ") else "")
        console.print()
    for warning in answer.warnings:
        _wrapped(console, f"Note: {printable(warning.message)}", " " * 6)
    if told:
        console.rule("In numbers")
    draw(console, answer, rows)


def _wrapped(console: Console, line: str, indent: str) -> None:
    console.print(Text(textwrap.fill(line, console.width, subsequent_indent=indent)))
