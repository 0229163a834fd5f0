"""Decodes requests for a page of a list."""

from __future__ import annotations

from typing import Protocol

from sequela.api.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, PageRequest
from sequela.api.violations import Violations

MAX_TOKEN_LENGTH = 1_024


class PageMessage(Protocol):
    """A request for a page."""

    page_size: int
    page_token: str


def page(message: PageMessage, violations: Violations) -> PageRequest:
    """Decodes a page. Size 0 means the default, larger sizes are reduced to the limit, negative ones are violations."""
    if message.page_size < 0:
        violations.add("page_size", "OPTION_OUT_OF_RANGE", f"must be at least 0, not {message.page_size}")
    size = min(message.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    return PageRequest(size, violations.text("page_token", message.page_token, MAX_TOKEN_LENGTH, setting=""))
