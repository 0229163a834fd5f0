"""Fixtures for all tests."""

import os
from collections.abc import Iterator

# As the server does: the linear algebra's own threads would fight the tests' for the processors.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from serving import Serving


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """A server with its embedded defaults; leave it as you found it."""
    with Serving() as running:
        yield running
