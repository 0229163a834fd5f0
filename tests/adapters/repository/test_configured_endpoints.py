"""The operator's folders over time: what changes in them holds, and what is wrong in one harms no other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from endpoint_folders import write_endpoint
from inference_server import InferenceServer, ServedModel
from sequela.adapters.endpoints.registry import EndpointRegistry, EndpointRules
from sequela.adapters.repository.configured_endpoints import ConfiguredEndpoint, ConfiguredEndpoints
from sequela.adapters.repository.model_folders import find_folders
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelState, Observers
from transports import SCORER, TWO_INPUTS
from waiting import eventually

SCHEMA = b'{"inputs": [{"name": "events", "role": "events", "dtype": "float32", "width": 3}]}'
RULES = EndpointRules(ttl_seconds=0.1, retry_seconds=0.02)


@pytest.fixture
def endpoint() -> Iterator[InferenceServer]:
    with InferenceServer({"m": ServedModel(SCORER)}) as running:
        yield running


@pytest.fixture
def registry() -> Iterator[EndpointRegistry]:
    registry = EndpointRegistry(RULES, Limits(), Observers(()))
    yield registry
    registry.close()


@pytest.fixture
def one(tmp_path: Path, endpoint: InferenceServer, registry: EndpointRegistry) -> ConfiguredEndpoint:
    """Written, not yet looked at."""
    write_endpoint(tmp_path, "m", endpoint.uri("m"), SCHEMA, call_seconds=30.0)
    (folder,) = find_folders(tmp_path)
    return ConfiguredEndpoint(folder, registry, Limits())


def look(one: ConfiguredEndpoint) -> tuple[ModelState, str]:
    """As its threads do."""
    one.read()
    one.refresh()
    return one.record.state, one.record.detail


def test_it_becomes_ready(one: ConfiguredEndpoint) -> None:
    """With its digest, and how it is run."""
    assert one.record.state is ModelState.LOADING
    assert look(one) == (ModelState.READY, "")
    assert one.record.info is not None
    assert one.record.digest == one.record.info.digest
    assert "version 1" in one.record.execution


def test_one_that_is_down(one: ConfiguredEndpoint, endpoint: InferenceServer) -> None:
    """Loading, with the reason; a model once described stays."""
    endpoint.stop()
    state, detail = look(one)
    assert state is ModelState.LOADING
    assert str(endpoint.port) in detail
    endpoint.start()
    eventually(lambda: look(one)[0] is ModelState.READY)
    endpoint.stop()
    assert look(one)[0] is ModelState.READY


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"max_calls": 0}, "max_calls"),
        ({"ca": "nowhere.pem"}, "ca"),
        ({"uri": "ftp://host/m"}, "ftp"),
        ({"uri": "grpc://169.254.169.254:80/m"}, "169.254"),
    ],
)
def test_mistakes_in_a_file(
    one: ConfiguredEndpoint, tmp_path: Path, endpoint: InferenceServer, change: dict[str, object], word: str
) -> None:
    """From the start: FAILED, and the record says why. Later: nothing changes. Mended: it works."""
    good: dict[str, object] = {"uri": endpoint.uri("m"), "call_seconds": 30.0}

    def write(**said: object) -> None:
        uri = str(said.pop("uri"))
        write_endpoint(tmp_path, "m", uri, SCHEMA, **said)

    write(**(good | change))
    state, detail = look(one)
    assert state is ModelState.FAILED
    assert word in detail
    write(**good)
    assert look(one) == (ModelState.READY, "")
    write(**(good | change))
    state, detail = look(one)
    assert state is ModelState.READY
    assert (
        not detail or word in detail
    )  # said once the endpoint is asked again, which is when its answer is old
    write(**(good | {"revision": "2"}))
    assert look(one) == (ModelState.READY, "")
    assert "revision 2" in one.record.execution


def test_a_file_that_goes_away(one: ConfiguredEndpoint, tmp_path: Path, endpoint: InferenceServer) -> None:
    """The model fails, and works again when it comes back."""
    assert look(one)[0] is ModelState.READY
    (tmp_path / "m" / "1" / "endpoint.toml").unlink()
    state, detail = look(one)
    assert state is ModelState.FAILED
    assert "No such file" in detail
    write_endpoint(tmp_path, "m", endpoint.uri("m"), SCHEMA, call_seconds=30.0)
    eventually(lambda: look(one)[0] is ModelState.READY)


def test_a_file_that_stays_away(one: ConfiguredEndpoint, tmp_path: Path, endpoint: InferenceServer) -> None:
    """The model stays FAILED, even if its endpoint is due to be asked, and is READY once the file is back."""
    assert look(one)[0] is ModelState.READY
    (tmp_path / "m" / "1" / "endpoint.toml").unlink()
    end = time.monotonic() + 4 * RULES.ttl_seconds
    while time.monotonic() < end:
        assert look(one)[0] is ModelState.FAILED
        time.sleep(RULES.retry_seconds)
    write_endpoint(tmp_path, "m", endpoint.uri("m"), SCHEMA, call_seconds=30.0)
    assert look(one) == (ModelState.READY, "")


def test_another_schema(one: ConfiguredEndpoint, tmp_path: Path) -> None:
    """One that does not fit fails the model, until it is mended; it is another model then."""
    look(one)
    before = one.record.digest
    schema = tmp_path / "m" / "1" / "schema.json"
    schema.write_bytes(SCHEMA.replace(b"3", b"4"))
    assert look(one)[0] is ModelState.FAILED
    assert "4" in one.record.detail
    schema.write_bytes(SCHEMA.replace(b"}]", b'}], "bounded": true'))
    eventually(lambda: look(one)[0] is ModelState.READY)
    assert one.record.digest != before


def test_a_model_that_no_longer_fits(one: ConfiguredEndpoint, endpoint: InferenceServer) -> None:
    """What the endpoint says is looked at again after a while."""
    models: dict[str, ServedModel] = endpoint.models  # type: ignore[assignment]
    look(one)
    right = models["m"]
    models["m"] = ServedModel(TWO_INPUTS)
    eventually(lambda: look(one)[0] is ModelState.FAILED)
    assert "ids" in one.record.detail
    models["m"] = right
    eventually(lambda: look(one)[0] is ModelState.READY)


def test_several(tmp_path: Path, endpoint: InferenceServer, registry: EndpointRegistry) -> None:
    """One is down, one is wrong, one works: each stands for itself, and is looked after until that ends."""
    write_endpoint(tmp_path, "down", "grpc://127.0.0.1:1/m", SCHEMA)
    write_endpoint(tmp_path, "wrong", endpoint.uri("m"), b"{", attempts=2)
    write_endpoint(tmp_path, "works", endpoint.uri("m"), SCHEMA)
    endpoints = ConfiguredEndpoints(find_folders(tmp_path), registry, Limits())

    def states() -> dict[str, ModelState]:
        return {name.model: record.state for name, record in endpoints.records().items()}

    assert set(states().values()) == {ModelState.LOADING}
    endpoints.start()
    wanted = {"down": ModelState.LOADING, "wrong": ModelState.FAILED, "works": ModelState.READY}
    eventually(
        lambda: states() == wanted and all(r.detail for r in endpoints.records().values() if not r.info)
    )
    endpoints.stop()
