"""Writes the tables of all settings into docs/settings.md, between its two `<!-- settings -->` marks."""

from __future__ import annotations

from pathlib import Path

from sequela.command_line import markdown_tables

MARK = "<!-- settings -->"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"


def main() -> None:
    """Replaces the tables and leaves the rest of the page as it is."""
    before, _, after = PAGE.read_text().split(MARK)
    PAGE.write_text(f"{before}{MARK}\n\n{markdown_tables()}\n{MARK}{after}")


if __name__ == "__main__":
    main()
