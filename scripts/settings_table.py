"""Writes the table of settings into README.md, between its two `<!-- settings -->` marks."""

from __future__ import annotations

from pathlib import Path

from sequela.settings import markdown_table

MARK = "<!-- settings -->"
README = Path(__file__).resolve().parent.parent / "README.md"


def main() -> None:
    """Leaves everything around the table as it is."""
    before, _, after = README.read_text().split(MARK)
    README.write_text(f"{before}{MARK}\n\n{markdown_table()}\n{MARK}{after}")


if __name__ == "__main__":
    main()
