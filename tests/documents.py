"""Reads the pages of the documentation for tests."""

from __future__ import annotations

import contextlib
import io
import re
from functools import cache
from pathlib import Path

import structlog
from sequela.command_line import help_text

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md")])


def fences(page: str, language: str) -> list[str]:
    """Returns the contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)


def printed_by(code: str) -> str:
    """Returns what a program prints that runs in this process; the log of servers in this process is left out."""
    printed = io.StringIO()
    with structlog.testing.capture_logs(), contextlib.redirect_stdout(printed):
        exec(code, {"__name__": "__main__"})
    return printed.getvalue()


def prose(page: str) -> str:
    """Returns the page without its fenced blocks and code spans, whose brackets are not links."""
    return re.sub(r"^ *```.*?^ *```|`[^`\n]*`", "", page, flags=re.DOTALL | re.MULTILINE)


def links(page: str) -> list[str]:
    """Returns the targets of links and pictures that lead to this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [each for each in targets if "://" not in each]


def anchors(page: str) -> set[str]:
    """Returns the anchors that GitHub gives the page's headings."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def sections(page: str) -> set[str]:
    """Returns the numbers of the page's numbered headings, such as 4 and 4.2."""
    return set(re.findall(r"^#+ ([0-9]+(?:\.[0-9]+)*)\.? ", page, flags=re.MULTILINE))


@cache
def server_options() -> frozenset[str]:
    """Returns the options of `sequela serve`, as its help lists them, with the negative form of its switches."""
    return frozenset(re.findall(r"(?<!\S)--[a-z][a-z-]+", help_text()))
