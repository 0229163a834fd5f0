"""Servers of models, over gRPC and over HTTP, and certificates for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from inference_rest import RestServer
from inference_server import Certificates, InferenceServer, ServedModel
from transports import HALVES, SCORER, STEPS, TWO_INPUTS, mean_of_events


@pytest.fixture
def server() -> Iterator[InferenceServer]:
    contents = {"scorer": SCORER, "mean": mean_of_events(), "two": TWO_INPUTS}
    with InferenceServer({name: ServedModel(content) for name, content in contents.items()}) as running:
        yield running


@pytest.fixture
def web() -> Iterator[RestServer]:
    contents = {"m": SCORER, "steps": STEPS, "two": TWO_INPUTS, "halves": HALVES}
    with RestServer({name: ServedModel(content) for name, content in contents.items()}) as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))
