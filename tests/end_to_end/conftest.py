"""A server of each module, and one that explains a GRU behind an endpoint and a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from endpoint_faults import CASE, ROWS, SCHEMA, SOON
from endpoint_folders import reachable, serving, write_endpoint
from fault_proxy import FaultProxy
from inference_server import InferenceServer, ServedModel
from sequela_client import Sequela
from serving import Serving, embedded


@pytest.fixture(scope="module", params=["in process", pytest.param("in engines", marks=pytest.mark.slow)])
def served(request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A server for one module. Callers' models run in its process, and in the slow tests also in engines."""
    settings = {"upload_engines": 0} if request.param == "in process" else {}
    with Serving(embedded(**settings)) as running:
        yield running


@pytest.fixture(scope="module")
def sequela(served: Serving) -> Iterator[Sequela]:
    """A client of it."""
    with Sequela(served.bound.grpc) as client:
        yield client


@pytest.fixture
def endpoint() -> Iterator[InferenceServer]:
    with InferenceServer({"gru": ServedModel(CASE.path.read_bytes())}) as running:
        yield running


@pytest.fixture
def proxy(endpoint: InferenceServer) -> Iterator[FaultProxy]:
    with FaultProxy(endpoint.port) as running:
        yield running


@pytest.fixture
def root(tmp_path: Path, proxy: FaultProxy) -> Path:
    """A repository with the model behind the proxy. Answers are not reused, because no version is pinned."""
    write_endpoint(
        tmp_path,
        "gru",
        f"grpc://127.0.0.1:{proxy.port}/gru",
        SCHEMA,
        version="",
        max_batch_rows=ROWS,
        call_seconds=SOON,
    )
    return tmp_path


@pytest.fixture
def server(root: Path) -> Iterator[Serving]:
    with serving(root) as running:
        reachable(running, "gru")
        yield running
