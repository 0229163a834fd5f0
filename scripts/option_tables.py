"""Writes the tables of options into docs/python.md and docs/cli.md, from the declarations in the client.

With --check, it reports whether they are up to date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click
from sequela_client.cli.main import main as command
from sequela_client.options import OPTIONS

from scripts.marked_section import run

MARK = "<!-- options -->"
COMMAND = "python -m scripts.option_tables"


def option_table() -> str:
    """Returns the table of options in docs/python.md."""
    return "\n".join(("| Option | Meaning | Default |", "|---|---|---|", *_option_rows()))


def flag_table() -> str:
    """Returns the table of the flags of `sequela explain` in docs/cli.md."""
    return "\n".join(("| Flag | Meaning |", "|---|---|", *_flag_rows()))


def pages() -> Mapping[str, str]:
    """Returns the table of each page, by the name of the page in docs/."""
    return {"python.md": option_table(), "cli.md": flag_table()}


def main() -> None:
    """Writes the tables, or checks them."""
    run(__doc__, COMMAND, pages(), MARK)


def _option_rows() -> Iterator[str]:
    for option in OPTIONS.values():
        words = f" One of {', '.join(f'`{each}`' for each in option.choices)}." if option.choices else ""
        yield f"| `{option.name}` | {option.about.help}{words} | {option.about.default} |"


def _flag_rows() -> Iterator[str]:
    """Yields one row for each flag, and a heading in bold before each group of flags."""
    heading = None
    for param in command.commands["explain"].params:
        assert isinstance(param, click.Option)
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
