"""The server and the client that the tests of this folder share."""

from collections.abc import Iterator

import pytest
from field.asking import Explain, explaining
from sequela_client import Sequela
from serving import Serving, embedded


@pytest.fixture(scope="session", params=["in process", pytest.param("in engines", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A server that runs the models itself, because a process for each of them would take twice the time, and in the
    slow tests also one with engines.
    """
    settings = {"upload_engines": 0} if request.param == "in process" else {}
    with Serving(embedded(**settings)) as running:
        yield running


@pytest.fixture(scope="session")
def sequela(server: Serving) -> Iterator[Sequela]:
    """A client of that server."""
    with Sequela(server.bound.grpc, timeout=30) as client:
        yield client


@pytest.fixture
def explain(sequela: Sequela, tmp_path: object) -> Explain:
    """Explains a sequence with a model that is passed as bytes."""
    return explaining(sequela, str(tmp_path))
