"""Pages of a list."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The number of items, and the token from the previous page, which is empty for the first page."""

    size: int = DEFAULT_PAGE_SIZE
    token: str = ""
