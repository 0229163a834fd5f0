"""Writes the tables of all settings into docs/settings.md. With --check, it reports whether they are up to date."""

from __future__ import annotations

from sequela.command_line import markdown_tables

from scripts.marked_section import Section, run

MARK = "<!-- settings -->"
COMMAND = "python -m scripts.settings_table"


def main() -> None:
    """Writes the tables, or checks them."""
    run(__doc__, COMMAND, [Section("settings.md", MARK, markdown_tables())])


if __name__ == "__main__":
    main()
