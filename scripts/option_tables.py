"""Writes the tables of options into docs/python.md and docs/cli.md, from the declarations in the client.

With --check, it reports whether they are up to date.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
from sequela_client.cli.main import main as command
from sequela_client.options import OPTIONS

from scripts.marked_section import Section, run

MARK = "<!-- options -->"
# Commands with a table of their own; the others have few flags, or share these.
WITH_TABLES = ("delete", "explain", "explain-all", "list", "show")
COMMAND = "python -m scripts.option_tables"


def option_table() -> str:
    """Returns the table of options in docs/python.md."""
    return "\n".join(("| Option | Meaning | Default |", "|---|---|---|", *_option_rows()))


def flag_table(name: str) -> str:
    """Returns the table of the flags of a command in docs/cli.md."""
    return "\n".join(("| Flag | Meaning |", "|---|---|", *_flag_rows(command.commands[name])))


def mark_of(name: str) -> str:
    """Returns the mark around the table of a command's flags."""
    return f"<!-- options of {name} -->"


def sections() -> list[Section]:
    """Returns the tables of all pages."""
    flags = [Section("cli.md", mark_of(name), flag_table(name)) for name in WITH_TABLES]
    return [Section("python.md", MARK, option_table()), *flags]


def main() -> None:
    """Writes the tables, or checks them."""
    run(__doc__, COMMAND, sections())


def _option_rows() -> Iterator[str]:
    for option in OPTIONS.values():
        words = f" One of {', '.join(f'`{each}`' for each in option.choices)}." if option.choices else ""
        yield f"| `{option.name}` | {option.about.help}{words} | {option.about.default} |"


def _flag_rows(of: click.Command) -> Iterator[str]:
    """Yields one row for each flag, and a heading in bold before each group of flags."""
    heading = None
    # Arguments without a flag are in the example above the table.
    for param in (each for each in of.params if isinstance(each, click.Option)):
        if (found := getattr(param, "heading", None)) != heading:
            heading = found
            yield f"| **{heading}** | |"
        flags = ", ".join(f"`{each}`" for each in (*param.opts, *param.secondary_opts))
        takes = "" if param.is_flag else f" `{_metavar(param)}`"
        yield f"| {flags}{_escaped(takes)} | {_escaped(param.help or '')} |"


def _metavar(param: click.Option) -> str:
    return param.metavar or param.make_metavar(click.Context(command))


def _escaped(text: str) -> str:
    """Returns the text for a cell, where a bar would end the cell."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
