"""Tables and outputs of the pages about the client, as they have to be."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from sequela_client.cli.main import main
from sequela_client.options import OPTIONS

CONSOLE = re.compile(
    r"```console\n\$ (?P<command>sequela [^\n]*)\n```\n(?:\n```text\n(?P<output>.*?)```)?", re.DOTALL
)
"""A command of a page, and what it prints, if that is shown."""


def option_rows() -> Iterator[str]:
    """The rows of the table of options in docs/python.md."""
    for option in OPTIONS.values():
        words = f" One of {', '.join(f'`{each}`' for each in option.choices)}." if option.choices else ""
        yield f"| `{option.name}` | {option.about.help}{words} | {option.about.default} |"


def flag_rows(command: str) -> Iterator[str]:
    """The rows of the table of a command's flags in docs/cli.md; a heading in bold for each group."""
    heading = None
    for param in main.commands[command].params:
        if isinstance(param, click.Argument):
            continue
        assert isinstance(param, click.Option)
        if (found := getattr(param, "heading", None)) != heading:
            heading = found
            yield f"| **{heading}** | |"
        flags = ", ".join(f"`{each}`" for each in (*param.opts, *param.secondary_opts))
        takes = "" if param.is_flag else f" `{_metavar(param)}`"
        yield f"| {flags}{takes.replace('|', chr(92) + '|')} | {(param.help or '').replace('|', chr(92) + '|')} |"


def _metavar(param: click.Option) -> str:
    return param.metavar or param.make_metavar(click.Context(main))


def without_log(text: str) -> str:
    """What was printed but for the log of a server in this process."""
    return "\n".join(line for line in text.splitlines() if not re.match(r"\d{4}-\d\d-\d\d \d\d:.*\[", line))


def same_words(printed: str, shown: str) -> bool:
    """Whether two outputs are the same but for widths of columns, bars, and numbers that differ by little.

    The last digits of a number depend on the processor.
    """
    ours, theirs = (re.sub(r"[█─│\s]+", " ", text).split() for text in (printed, shown))
    return len(ours) == len(theirs) and all(map(_same_word, ours, theirs))


def _same_word(one: str, other: str) -> bool:
    number = re.compile(r"[+-]?\d+\.\d+|\d{1,3},\d{3}")
    if number.sub("#", one) != number.sub("#", other):
        return False
    pairs = zip(number.findall(one), number.findall(other), strict=True)
    return all(_close(*(float(each.replace(",", "")) for each in pair)) for pair in pairs)


def _close(one: float, other: float) -> bool:
    """Within the last digit of what is printed, or within a tenth for counts of coalitions."""
    return abs(one - other) <= max(0.011, 0.1 * one if one >= 1000 else 0)
