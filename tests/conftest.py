"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest
from serving import Serving


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """A server with its embedded defaults; leave it as you found it."""
    with Serving() as running:
        yield running
