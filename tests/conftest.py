"""Fixtures for all tests."""

import os
from collections.abc import Iterator

# As the server does: the linear algebra's own threads would fight the tests' for the processors.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from serving import Serving

# No test is timed: these machines are noisy. What fails is printed so that it can be run again.
settings.register_profile("untimed", deadline=None, print_blob=True)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """A server with its embedded defaults; leave it as you found it."""
    with Serving() as running:
        yield running
