"""Fixtures of the tests that need another environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_servers import SERVERS, RealServer, running


@pytest.fixture(scope="session", params=SERVERS)
def real_server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """Triton, KServe's ModelServer and MLServer in turn, each with the models of `real_servers.MODELS`. All tests share
    them, so they must not change their state.
    """
    with running(request.param) as server:
        yield server
