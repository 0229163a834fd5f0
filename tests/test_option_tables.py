"""The scripts that write generated tables into pages: what they write, and what --check reports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import marked_section, option_tables

MARK = "<!-- options -->"
PAGE = f"# Options\n\n{MARK}\n\n| old |\n\n{MARK}\n\nThe end.\n"


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two pages, whose tables are old."""
    (tmp_path / "python.md").write_text(PAGE)
    marks = map(option_tables.mark_of, option_tables.WITH_TABLES)
    (tmp_path / "cli.md").write_text("\n".join(PAGE.replace(MARK, mark) for mark in marks))
    monkeypatch.setattr(marked_section, "DOCS", tmp_path)
    return tmp_path


def test_the_tables_replace_what_stands_between_the_marks(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of each page stays as it is, and a second run changes nothing."""
    monkeypatch.setattr(sys, "argv", ["option_tables"])
    option_tables.main()
    written = (docs / "python.md").read_text()
    assert written == PAGE.replace("| old |", option_tables.option_table())
    for name in option_tables.WITH_TABLES:
        assert option_tables.flag_table(name) in (docs / "cli.md").read_text()
    option_tables.main()
    assert (docs / "python.md").read_text() == written


def test_check_writes_nothing_and_says_what_to_run(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the pages and the command."""
    monkeypatch.setattr(sys, "argv", ["option_tables", "--check"])
    with pytest.raises(SystemExit, match=r"`python -m scripts.option_tables`: docs/python.md, docs/cli.md"):
        option_tables.main()
    assert (docs / "python.md").read_text() == PAGE


def test_a_page_without_its_marks_is_an_error() -> None:
    """A mark that is missing or there three times must not cut a page in the wrong place."""
    with pytest.raises(ValueError, match="has 1 of them"):
        marked_section.with_section(f"one {MARK} only", MARK, "| new |")
