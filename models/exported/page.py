"""The code of docs/exporting.md. Each piece of Python has a name, and may continue another piece.

A comment before the fence gives the name: `<!-- snippet: explain, after pytorch -->`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "exporting.md"
SNIPPET = re.compile(
    r"<!-- snippet: (?P<name>[a-z-]+)(?:, after (?P<after>[a-z-]+))? -->\n"
    r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<output>.*?)```\n)?",
    flags=re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of Python. `after` is the snippet that it continues, if any; `output` is what it prints, if the page
    shows it.
    """

    name: str
    after: str | None
    code: str
    output: str | None


def snippets(text: str) -> dict[str, Snippet]:
    """Returns the snippets of the page by name. Raises ValueError if a piece of Python has no name."""
    found = [Snippet(**match.groupdict()) for match in SNIPPET.finditer(text)]
    if len(found) != text.count("```python"):
        raise ValueError("a piece of Python has no comment '<!-- snippet: name -->' right before it")
    return {snippet.name: snippet for snippet in found}


def program(named: Mapping[str, Snippet], name: str) -> str:
    """Returns the program of a snippet: all snippets that it continues, and its own code."""
    snippet = named[name]
    before = program(named, snippet.after) if snippet.after else ""
    return f"{before}\n{snippet.code}"
