"""The terminal: its width, its encoding, and what is printed while the user waits."""

from __future__ import annotations

import codecs
import io
import sys
import textwrap
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from rich.console import Console
from rich.text import Text

# Replacements for the characters in our own texts that an encoding may lack.
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
_WIDTH = 80


def terminal() -> Console:
    """Standard output, without rich's markup: square brackets and colons are printed as they are."""
    console = Console(markup=False, emoji=False, highlight=False)
    if console.width < 1:  # some terminals of unknown size report 0
        console.width = _WIDTH
    return console


@contextmanager
def printing() -> Iterator[Console]:
    """Standard output. If it is not a terminal, lines have no spaces at their ends."""
    console = terminal()
    if console.is_terminal:
        yield console
        return
    with console.capture() as captured:
        yield console
    # Not by click, which writes UTF-8 where the terminal has ASCII.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().split("\n")[:-1]))
    sys.stdout.flush()


def write_in_any_encoding() -> None:
    """Makes standard output and error replace characters that their encoding lacks; that of LANG=C has only ASCII."""
    codecs.register_error("sequela.plain", _replacement)
    # In tests and notebooks these may be other objects, which take any text.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="sequela.plain")


def _replacement(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each, "?") for each in lacking), error.end


def waiting(what: str) -> AbstractContextManager[Any]:
    """Shows a spinner while something is waited for, if standard error is a terminal."""
    console = Console(stderr=True)
    return console.status(f"{what} …") if console.is_terminal else nullcontext()


def print_wrapped(console: Console, text: str, indent: str = "") -> None:
    """Prints a text in lines of the terminal's width; lines after the first begin with the indent."""
    console.print(Text(textwrap.fill(text, console.width, subsequent_indent=indent)))
