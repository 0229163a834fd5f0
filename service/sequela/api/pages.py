"""Pages of a list."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many items, and from where: the token of the page before, or empty for the first page."""

    size: int = DEFAULT_PAGE_SIZE
    token: str = ""
