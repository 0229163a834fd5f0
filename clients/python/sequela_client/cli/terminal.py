"""The terminal, and what may be written to it: words that others chose must not steer it."""

from __future__ import annotations

import codecs
import dataclasses
import io
import sys
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console

_PLAIN: Final = {
    "±": "+-",
    "−": "-",
    "…": "...",
    "·": "-",
    "×": "x",
    "η": "eta",
    "θ": "theta",
    "│": "|",
    "█": "#",
}
"""What stands for our own characters where an encoding has none of them."""
_WIDTH = 80


def terminal() -> Console:
    """Standard output. Square brackets and colons in texts are just that."""
    console = Console(markup=False, emoji=False, highlight=False)
    if console.width < 1:  # a terminal of unknown size, which some say is 0
        console.width = _WIDTH
    return console


def write_in_any_encoding() -> None:
    """Lets standard output and error write what their encoding lacks (LANG=C has ASCII alone) in plain characters."""
    codecs.register_error("sequela.plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="sequela.plain")


def _plainly(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each, "?") for each in lacking), error.end


def printable(item: Any) -> Any:
    """The same text, or the same dataclass all through, without control characters and escape sequences."""
    if type(item) is str:
        return "".join(" " if each.isspace() else each if each.isprintable() else "\ufffd" for each in item)
    if isinstance(item, Mapping):
        return {printable(key): printable(value) for key, value in item.items()}
    if isinstance(item, tuple):
        return tuple(map(printable, item))
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        fields = {field.name: printable(getattr(item, field.name)) for field in dataclasses.fields(item)}
        return dataclasses.replace(item, **fields)
    return item
