"""A served model over time: asked once for all who want it, again after a while or a doubt, and never for ever."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
import pytest
from inference_server import InferenceServer, ServedModel
from sequela.adapters.endpoints.connection import Connection
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.limiter import Limiter
from sequela.adapters.endpoints.remote_model import RemoteModelSource
from sequela.adapters.endpoints.remote_model_handle import RemoteModelHandle
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import DoesNotFit, Forbidden, InvalidInput, Unavailable
from sequela.explain.limits import Limits
from sequela.explain.ports import Observers
from transports import SCORER, TWO_INPUTS, opened, soon

REST = TTL = 10.0
TERMS = EndpointTerms(call_seconds=60, attempts=3)
SCHEMA = b'{"inputs": [{"name": "events", "role": "events", "dtype": "float32", "width": 3}]}'


@pytest.fixture
def endpoint() -> Iterator[InferenceServer]:
    with InferenceServer({"m": ServedModel(SCORER)}) as running:
        yield running


class Clock:
    """The clock of deadlines, which a test can move forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        monkeypatch.setattr(Deadline, "now", staticmethod(lambda: time.monotonic() + self.ahead))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def source(endpoint: InferenceServer, schema: bytes = SCHEMA, version: str = "") -> RemoteModelSource:
    return RemoteModelSource(endpoint.uri("m"), version, "", schema, "uri", "schema.json")


@pytest.fixture
def handle(endpoint: InferenceServer) -> Iterator[RemoteModelHandle]:
    with opened(endpoint.uri("m")) as transport:
        limiter = Limiter("m/1", "grpc://h:1/m", TERMS, Observers(()), REST)
        yield RemoteModelHandle(
            "models/m/versions/1", source(endpoint), Connection(transport, limiter, 1 << 20), Limits(), TTL
        )
        limiter.close()


def asked(endpoint: InferenceServer) -> int:
    return sum(call.method == "ModelMetadata" for call in endpoint.calls)


def test_one_asks_for_all(endpoint: InferenceServer, handle: RemoteModelHandle) -> None:
    """Eight at once, and those after them: one look, and the same model for all."""

    def slowly(request: Any, context: Any, answer: Any) -> Any:
        time.sleep(0.05)
        return answer()

    endpoint.twists["ModelMetadata"] = slowly
    with ThreadPoolExecutor(8) as threads:
        models = list(threads.map(lambda _: handle.model(soon()), range(8)))
    models.append(handle.model(soon()))
    assert all(model is models[0] for model in models)
    assert asked(endpoint) == 1


def test_a_description_holds_for_a_while(
    endpoint: InferenceServer, handle: RemoteModelHandle, clock: Clock
) -> None:
    """Then it is asked for again; where it is the same, so is the model."""
    first = handle.model(soon())
    clock.ahead = TTL
    assert handle.model(soon()) is first
    assert asked(endpoint) == 2


def test_a_doubt(endpoint: InferenceServer, handle: RemoteModelHandle) -> None:
    """Ends what was taken to hold, once."""
    handle.model(soon())
    handle.report_mismatch()
    handle.model(soon())
    handle.model(soon())
    assert asked(endpoint) == 2
    assert not handle.doubtful


def test_another_version_served(endpoint: InferenceServer, handle: RemoteModelHandle) -> None:
    """Is another model where none is pinned."""
    first = handle.model(soon())
    endpoint.models["m"].version = "2"
    assert handle.refresh(soon()).info.digest != first.info.digest


def test_what_identifies_a_model(endpoint: InferenceServer, handle: RemoteModelHandle) -> None:
    """Where it is, its version and revision, the schema and what the endpoint says; no more."""
    first = handle.model(soon()).info.digest
    where = handle.source
    others = [
        replace(where, version="1"),
        replace(where, revision="r"),
        replace(where, uri=where.uri + "2"),
        replace(where, schema_json=SCHEMA + b" "),
    ]
    handle.ttl_seconds = 0.0
    for other in (*others, where):
        handle.source, handle._cached = other, None
        found = handle.model(soon()).info.digest
        assert (found == first) == (other is where)


def test_a_description_that_does_not_fit(endpoint: InferenceServer, handle: RemoteModelHandle) -> None:
    """Is an error for whoever asks; the right one is found at the next look."""
    models: dict[str, ServedModel] = endpoint.models  # type: ignore[assignment]
    right = models["m"]
    models["m"] = ServedModel(TWO_INPUTS)
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            handle.model(soon())
        assert caught.value.reason == "SCHEMA_DOES_NOT_FIT"
    models["m"] = right
    assert handle.model(soon()).info.schema.inputs[0].name == "events"


def test_an_endpoint_that_is_away(endpoint: InferenceServer, handle: RemoteModelHandle, clock: Clock) -> None:
    """So many attempts, then Unavailable; who comes right after hears the same, without asking."""
    calls = 0

    def away(request: Any, context: Any, answer: Any) -> Any:
        nonlocal calls
        calls += 1
        return context.abort(grpc.StatusCode.UNAVAILABLE, "starting")

    endpoint.twists["ModelMetadata"] = away
    with pytest.raises(Unavailable) as caught:
        handle.model(soon())
    assert caught.value.reason == "ENDPOINT_UNAVAILABLE"
    assert calls == TERMS.attempts
    endpoint.twists.clear()
    with pytest.raises(Unavailable, match="starting"):
        handle.model(soon())
    assert calls == TERMS.attempts
    clock.ahead = REST
    assert handle.model(soon())


def test_an_endpoint_that_hangs(endpoint: InferenceServer, handle: RemoteModelHandle, clock: Clock) -> None:
    """Neither who asks nor who waits for that waits past the own deadline."""
    free = threading.Event()
    endpoint.twists["ModelMetadata"] = lambda request, context, answer: (free.wait(30), answer())[1]
    start = Deadline.now()
    with ThreadPoolExecutor(4) as threads:
        waits = [threads.submit(handle.model, start + 0.1) for _ in range(4)]
        for wait in waits:
            with pytest.raises(DeadlinePassed):
                wait.result()
    handle.connection.limiter.amend(replace(TERMS, call_seconds=0.3))
    with ThreadPoolExecutor(4) as threads:
        waits = [threads.submit(handle.model, math.inf) for _ in range(4)]  # the limit of one call
        for wait in waits:
            with pytest.raises(Unavailable, match="did not describe its model within"):
                wait.result()
    free.set()
    handle.connection.limiter.amend(TERMS)
    clock.ahead = REST
    assert handle.model(soon())


def test_an_unknown_model(endpoint: InferenceServer, handle: RemoteModelHandle) -> None:
    """The endpoint's own words."""
    endpoint.models.clear()  # type: ignore[attr-defined]
    with pytest.raises(DoesNotFit, match="NOT_FOUND") as caught:
        handle.model(soon())
    assert caught.value.reason == "ENDPOINT_REFUSED"


def test_switched_off(endpoint: InferenceServer, handle: RemoteModelHandle) -> None:
    """Nobody asks, not even for what it serves."""
    handle.connection.limiter.amend(replace(TERMS, enabled=False))
    with pytest.raises(Forbidden) as caught:
        handle.model(soon())
    assert caught.value.reason == "ENDPOINT_OFF"
    assert endpoint.calls == []
