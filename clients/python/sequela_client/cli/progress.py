"""Says what is waited for, to people only."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console


def waiting(what: str) -> AbstractContextManager[Any]:
    """A spinner on stderr where that is a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    return console.status(f"{what} …") if console.is_terminal else nullcontext()
