"""The code of docs/exporting.md: each piece of Python has a name, and may go on where another one ended.

In the page a comment before the fence says so: `<!-- snippet: explain, after pytorch -->`.
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
    """A piece of Python. after: the snippet whose end it goes on from, or none. output: what it prints, if shown."""

    name: str
    after: str | None
    code: str
    output: str | None


def snippets(text: str) -> dict[str, Snippet]:
    """The page's snippets by name. Raises ValueError where a piece of Python has no name."""
    found = [Snippet(**match.groupdict()) for match in SNIPPET.finditer(text)]
    if len(found) != text.count("```python"):
        raise ValueError("a piece of Python has no comment '<!-- snippet: name -->' right before it")
    return {snippet.name: snippet for snippet in found}


def program(named: Mapping[str, Snippet], name: str) -> str:
    """A snippet with all that it goes on from."""
    snippet = named[name]
    before = program(named, snippet.after) if snippet.after else ""
    return f"{before}\n{snippet.code}"
