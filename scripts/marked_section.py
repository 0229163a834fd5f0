"""Writes or checks a generated part of a page, which stands between two equal marks such as `<!-- options -->`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Section:
    """A generated part of a page.

    Args:
        page: The name of the page in docs/.
        mark: The mark before and after the section.
        content: What stands between the marks.
    """

    page: str
    mark: str
    content: str

    @property
    def path(self) -> Path:
        """The file of the page."""
        return DOCS / self.page

    @property
    def updated(self) -> str:
        """The text of the page with the content between the marks."""
        return with_section(self.path.read_text(), self.mark, self.content)


def outdated(sections: Iterable[Section]) -> list[Section]:
    """Returns the sections whose page has something else between the marks."""
    return [each for each in sections if each.updated != each.path.read_text()]


def run(description: str | None, command: str, sections: Iterable[Section]) -> None:
    """Writes the sections, or only checks them if the command line has --check.

    Args:
        description: What `--help` says about the script.
        command: The command that writes the sections, for the message of a failed check.
        sections: The sections.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    stale = outdated(sections)
    if not parser.parse_args().check:
        for each in stale:
            each.path.write_text(each.updated)
    elif stale:
        pages = ", ".join(dict.fromkeys(f"docs/{each.page}" for each in stale))
        raise SystemExit(f"out of date, run `{command}`: {pages}")
