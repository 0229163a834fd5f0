"""A served model over HTTP, by both protocols: what comes back is what the file gives, and every way to fail has its
error.
"""

from __future__ import annotations

import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from inference_rest import RestServer, cut_off, reset
from inference_server import Certificates, ServedModel
from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.failures import RetryableError
from sequela.adapters.endpoints.transport import Description
from sequela.adapters.model_io.signature import Content, InputSignature, OutputSignature
from sequela.errors import DoesNotFit, Forbidden
from sequela.explain.schema import Dtype
from transports import ROWS, SCORER, Names, ask, expected, failing, loopback, opened, soon, threads
from waiting import PATIENCE, eventually

BOTH = pytest.mark.parametrize("protocol", ["v1", "v2"])


@BOTH
def test_infer(web: RestServer, protocol: str) -> None:
    """Outputs equal the graph's, as float64; the time may be without an end."""
    scores = ask(web.uri("m", protocol))
    with opened(web.uri("m", protocol)) as transport:
        for until in (math.inf, 1e300):
            np.testing.assert_array_equal(transport.infer({"events": ROWS}, "", until), scores)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected(ROWS), rtol=1e-6)


@BOTH
def test_rows_and_steps_keep_their_places(web: RestServer, protocol: str) -> None:
    """Also where the array in memory is not in row-major order, and numbers keep their last digits."""
    events = np.random.default_rng(0).normal(size=(5, 4, 4)).astype(np.float32).transpose(2, 0, 1)
    with opened(web.uri("steps", protocol)) as transport:
        steps = transport.infer({"events": events}, "steps", soon())
    np.testing.assert_allclose(steps, events.mean(axis=2), rtol=1e-5, atol=1e-6)


@BOTH
def test_several_inputs(web: RestServer, protocol: str) -> None:
    """Each goes under its name with its own type."""
    ids = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    with opened(web.uri("two", protocol)) as transport:
        scores = transport.infer({"ids": ids, "events": ROWS}, "", soon())
    totals = ROWS.astype(np.float64).mean(axis=(1, 2)) + ids.mean(axis=1)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-totals / 10)), rtol=1e-6)


@BOTH
def test_half_floats(web: RestServer, protocol: str) -> None:
    """JSON has no types, so that halves go as the numbers they are."""
    with opened(web.uri("halves", protocol)) as transport:
        scores = transport.infer({"events": ROWS.astype(np.float16)}, "", soon())
    np.testing.assert_allclose(scores, expected(ROWS.astype(np.float16)), rtol=1e-3)


def test_describe(web: RestServer) -> None:
    """Version 2 has metadata, and Triton its row limit; version 1 has none."""
    web.models["two"].max_rows = 64
    with opened(web.uri("two")) as transport:
        described = transport.describe(soon())
    assert described == Description(
        inputs=(
            InputSignature("events", Dtype.FLOAT32, "float32", (None, None, 3)),
            InputSignature("ids", Dtype.INT64, "int64", (None, None)),
        ),
        outputs=(OutputSignature("score", Content.FLOATS, "FP32", (None,)),),
        versions=("1",),
        platform="onnxruntime_onnx",
        max_rows=64,
    )
    with opened(web.uri("two", "v1")) as transport:
        assert transport.describe(soon()) == Description()


def test_metadata_that_says_little(web: RestServer) -> None:
    """What a server leaves out or writes as null is empty."""
    web.twist = lambda handler, answer: (
        handler.say(b'{"name": "m", "versions": null}') if handler.path.endswith("/m") else answer()
    )
    with opened(web.uri("m")) as transport:
        assert transport.describe(soon()) == Description()


def test_what_is_sent(web: RestServer) -> None:
    """Version 2: names, types, shapes, flat data, and the output asked for, at the version's path."""
    with opened(web.uri("m"), version="1") as transport:
        transport.infer({"events": ROWS[:, :1]}, "score", soon())
    visit = web.visits[-1]
    assert visit.path == "/v2/models/m/versions/1/infer"
    [sent] = visit.body["inputs"]
    assert (sent["name"], sent["datatype"], sent["shape"]) == ("events", "FP32", [2, 1, 3])
    assert np.array_equal(np.array(sent["data"], np.float32), ROWS[:, :1].reshape(-1))
    assert visit.body["outputs"] == [{"name": "score"}]
    assert visit.headers["user-agent"].startswith("sequela")
    assert visit.headers["host"] == f"127.0.0.1:{web.port}"
    assert "authorization" not in visit.headers


def test_instances(web: RestServer) -> None:
    """Version 1: arrays where there is one input, objects by input name where there are several."""
    with opened(web.uri("m", "v1")) as transport:
        transport.infer({"events": ROWS}, "", soon())
    assert web.visits[-1].path == "/v1/models/m:predict"
    assert np.shape(web.visits[-1].body["instances"]) == (2, 4, 3)
    with opened(web.uri("two", "v1"), version="7") as transport:
        transport.infer({"events": ROWS, "ids": np.ones((2, 4), np.int64)}, "", soon())
    assert web.visits[-1].path == "/v1/models/two/versions/7:predict"
    assert [sorted(row) for row in web.visits[-1].body["instances"]] == [["events", "ids"]] * 2


def test_closed_in_mid_call(web: RestServer) -> None:
    """Our own close ends calls under way and all later ones."""
    started, free = threading.Event(), threading.Event()
    web.twist = lambda handler, answer: (started.set(), free.wait(PATIENCE))
    with opened(web.uri("m")) as transport, ThreadPoolExecutor(1) as pool:
        call = pool.submit(transport.infer, {"events": ROWS}, "", soon())
        started.wait(PATIENCE)
        transport.close()
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE"):
            call.result(PATIENCE)
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE", "closed"):
            transport.infer({"events": ROWS}, "", soon())
        free.set()


def test_many_threads_at_once(web: RestServer) -> None:
    """One transport serves them all, and the calls run side by side."""
    gate = threading.Barrier(8)
    web.twist = lambda handler, answer: (gate.wait(PATIENCE), answer())
    with opened(web.uri("m")) as transport, ThreadPoolExecutor(8) as pool:
        batches = [ROWS * step for step in range(8)]
        answers = list(pool.map(lambda rows: transport.infer({"events": rows}, "", soon()), batches))
    for rows, scores in zip(batches, answers, strict=True):
        np.testing.assert_allclose(scores, expected(rows), rtol=1e-6)


@BOTH
def test_a_name_that_resolves_to_a_private_address(web: RestServer, protocol: str) -> None:
    """Is refused when it is connected to; nothing reaches the server. With its network allowed it does, and the
    server hears its name.
    """
    uri = web.uri("m", protocol).replace("127.0.0.1", "localhost")
    with opened(uri, guard=AddressGuard) as transport:
        with pytest.raises(Forbidden):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())
    assert web.visits == []
    ask(uri, guard=loopback)
    assert web.visits[-1].headers["host"] == f"localhost:{web.port}"


def test_what_was_checked_is_what_is_connected_to(web: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up once for a connection, which goes to the address found; the next address is tried where
    one does not answer, and another address counts for the next connection only, checked anew.
    """
    names = Names(monkeypatch, "127.0.0.2", "127.0.0.1")
    with opened(web.uri("m").replace("127.0.0.1", names.HOST), guard=loopback) as transport:
        for _ in range(3):
            transport.infer({"events": ROWS}, "", soon())
        assert names.asked == [names.HOST, "127.0.0.2", "127.0.0.1"]
        assert web.visits[-1].headers["host"] == f"{names.HOST}:{web.port}"
        names.addresses = ("10.0.0.1",)
        transport.infer({"events": ROWS}, "", soon())
        web.twist = reset
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE"):
            transport.infer({"events": ROWS}, "", soon())
        with failing(Forbidden, "ENDPOINT_NOT_ALLOWED"):
            transport.infer({"events": ROWS}, "", soon())


def test_a_host_that_is_not_known() -> None:
    """May be asked for again."""
    with failing(RetryableError, "ENDPOINT_UNAVAILABLE"):
        ask("http://no-such-name.invalid/v2/models/m")


def test_link_local_is_refused_from_the_operator_too() -> None:
    """A cloud's metadata server is no model."""
    with pytest.raises(Forbidden), opened("http://169.254.169.254/v2/models/m"):
        pass


def test_the_environment_is_not_asked(web: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve names itself, unguarded."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    ask(web.uri("m"))


def test_mutual_tls(certificates: Certificates) -> None:
    """By the name in the certificate, whatever address it leads to, and with a certificate of our own where one is
    wanted.
    """
    with RestServer({"m": ServedModel(SCORER)}, certificates, client_certificates=True) as web:
        credentials = Credentials(certificates.ca, *certificates.client)
        uri = web.uri("m").replace("127.0.0.1", "localhost")
        np.testing.assert_allclose(
            ask(uri, credentials=credentials, guard=loopback), expected(ROWS), rtol=1e-6
        )
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE"):
            ask(uri, credentials=Credentials(certificates.ca))


def test_servers_that_are_not_believed(certificates: Certificates, tmp_path: Path) -> None:
    """Another authority's, or another name's."""
    with (
        RestServer({"m": ServedModel(SCORER)}, certificates) as web,
        failing(RetryableError, "ENDPOINT_UNAVAILABLE"),
    ):
        ask(web.uri("m"))
    other = Certificates(tmp_path, "other.example")
    with (
        RestServer({"m": ServedModel(SCORER)}, other) as web,
        failing(RetryableError, "ENDPOINT_UNAVAILABLE"),
    ):
        ask(web.uri("m"), credentials=Credentials(other.ca))


def test_a_token_is_read_for_every_call(certificates: Certificates, tmp_path: Path) -> None:
    """What the file holds now is what is sent."""
    token = tmp_path / "token"
    token.write_text("first\n")
    credentials = Credentials(certificates.ca, token=token)
    with (
        RestServer({"m": ServedModel(SCORER)}, certificates) as web,
        opened(web.uri("m"), credentials=credentials) as transport,
    ):
        transport.infer({"events": ROWS}, "", soon())
        token.write_text("second")
        transport.infer({"events": ROWS}, "", soon())
        assert [visit.headers["authorization"] for visit in web.visits] == [
            "Bearer first",
            "Bearer second",
        ]
        token.unlink()
        with failing(DoesNotFit, "ENDPOINT_REFUSED", token.name):
            transport.infer({"events": ROWS}, "", soon())


def test_nothing_stays_behind(web: RestServer) -> None:
    """Neither threads nor sockets of a hundred transports, used and closed."""
    ask(web.uri("m"))
    before, files = threads(), len(os.listdir("/proc/self/fd"))
    for number in range(100):
        web.twist = cut_off if number % 3 == 0 else None
        with opened(web.uri("m"), guard=loopback) as transport:
            transport.ready(soon())
    eventually(lambda: len(threads() - before) == 0)
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= files + 2)
