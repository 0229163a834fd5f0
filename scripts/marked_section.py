"""Writes or checks a generated part of a page, which stands between two equal marks such as `<!-- options -->`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def with_section(text: str, mark: str, content: str) -> str:
    """Returns the text of a page with new content between the two marks. Raises ValueError if there are not two."""
    parts = text.split(mark)
    if len(parts) != 3:
        raise ValueError(f"a page needs the mark {mark} twice, and this one has {len(parts) - 1} of them")
    before, _, after = parts
    # A blank line on each side, because Markdown does not read a table right below a comment.
    return f"{before}{mark}\n\n{content.strip()}\n\n{mark}{after}"


def outdated(pages: Mapping[str, str], mark: str) -> list[str]:
    """Returns the names of the pages in docs/ whose section differs from its content in `pages`."""
    texts = {name: (DOCS / name).read_text() for name in pages}
    return [name for name, text in texts.items() if with_section(text, mark, pages[name]) != text]


def run(description: str | None, command: str, pages: Mapping[str, str], mark: str) -> None:
    """Writes the sections, or only checks them if the command line has --check.

    Args:
        description: What `--help` says about the script.
        command: The command that writes the sections, for the message of a failed check.
        pages: The content of the section, by the name of its page in docs/.
        mark: The mark before and after the section.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    stale = outdated(pages, mark)
    if not parser.parse_args().check:
        for name in stale:
            (DOCS / name).write_text(with_section((DOCS / name).read_text(), mark, pages[name]))
    elif stale:
        raise SystemExit(f"out of date, run `{command}`: {', '.join(f'docs/{name}' for name in stale)}")
