"""HTTP inference under stress: sizes, deadlines, callers that leave, full queues, slow clients, and the way out."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import inference_calls
from api.made import Gate, Scripted
from api.rpc_calls import register
from api.test_executors import depth
from api.test_kserve import ONE, USUAL, get, post
from api.test_operations import sample
from matrix import BY_NAME
from sequela import errors
from sequela.api import http_protocol
from serving import Serving, embedded, in_process
from waiting import PATIENCE, eventually

ASKED = {"instances": ONE}
ROWS = inference_calls.sample_rows(BY_NAME["gru"], 1)
EXPLAIN = "/v1/models/gru:explain"
ROUTE = {"route": "/v1/models/{name}:explain", "method": "POST"}


def connect(server: Serving) -> socket.socket:
    host, port = server.bound.http.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def head(length: int, path: str = EXPLAIN) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


def received(client: socket.socket, until: bytes = b"never") -> bytes:
    """What comes until the server closes the connection, or has said this."""
    found = b""
    while until not in found and (part := client.recv(1 << 16)):
        found += part
    return found


def requests(server: Serving, code: int) -> float:
    return sample(server, "sequela_http_requests_total", **ROUTE, code=str(code)) or 0.0


@contextmanager
def gated(**settings: Any) -> Iterator[tuple[Serving, Gate]]:
    """A server with a model called `gru`, whose explainer waits for the gate."""
    gate = Gate()
    with Serving(in_process(**settings), explainer=gate) as server:
        register(server, "gru")
        yield server, gate
        gate.open.set()


@pytest.fixture(scope="module")
def small() -> Iterator[Serving]:
    """A server that takes bodies of no more than 4 KiB."""
    with Serving(in_process(max_http_body_bytes=4096)) as server:
        register(server, "gru")
        yield server


def test_a_body_that_says_it_is_too_large_is_refused_unread(small: Serving) -> None:
    """413 comes before a byte of the body was sent."""
    with connect(small) as client:
        client.sendall(head(4097))
        assert received(client).startswith(b"HTTP/1.1 413")


def test_a_body_that_turns_out_too_large_is_cut_off(small: Serving) -> None:
    """Sent in chunks without a length, it is refused at the limit; 4096 bytes are still read."""
    found = httpx.post(
        f"http://{small.bound.http}{EXPLAIN}", content=(b" " * 1024 for _ in range(5)), timeout=PATIENCE
    )
    assert (found.status_code, found.json()["reason"]) == (413, "BODY_TOO_LARGE")
    assert post(small, EXPLAIN, b" " * 4096).status_code == 400


@pytest.mark.parametrize("values", ["[],", "0,", "{},", "[[["])
def test_a_body_of_many_small_values_is_refused_unparsed(small: Serving, values: str) -> None:
    """Each takes more memory than it has bytes: no more than one for every 8 bytes of the limit."""
    found = post(small, EXPLAIN, values * 600)
    assert (found.status_code, found.json()["reason"]) == (400, "TOO_MANY_VALUES")


def test_bodies_held_at_a_time_are_bounded() -> None:
    """Two of the largest size, be they half read or worked on: the next byte is 429 with Retry-After, and counted. When
    they are gone there is room again.
    """
    with (
        gated(max_http_body_bytes=4096, max_http_bodies=2) as (server, gate),
        ThreadPoolExecutor(1) as threads,
    ):
        with connect(server) as slow:
            slow.sendall(head(4096) + b" " * 4000)
            held = threads.submit(post, server, EXPLAIN, json.dumps(ASKED).ljust(4096))
            gate.begun.acquire()
            eventually(lambda: post(server, EXPLAIN, b" " * 200).status_code == 429)
            refused = post(server, EXPLAIN, b" " * 200)
            assert (refused.json()["reason"], refused.headers["retry-after"]) == ("QUEUE_FULL", "1")
            assert "of at most 8192 bytes" in refused.json()["error"]
            assert sample(server, "sequela_requests_rejected_total", where="bodies", reason="QUEUE_FULL") == 2
            assert post(server, EXPLAIN, b" " * 90).json()["reason"] == "BODY_MALFORMED"
        gate.open.set()
        assert held.result().status_code == 200
        eventually(lambda: post(server, EXPLAIN, b" " * 4096).status_code == 400)


@pytest.mark.parametrize(
    "path", ["/v1/models/nobody:explain", "/v1/models/nobody:predict", "/v2/models/nobody/infer"]
)
def test_a_body_for_no_model_is_not_parsed(small: Serving, path: str) -> None:
    """The name in the path is looked up first: 404, whatever the body holds."""
    found = post(small, path, b"{" * 400)
    assert (found.status_code, found.json()["reason"]) == (404, "MODEL_NOT_FOUND")


@pytest.mark.parametrize("origin", ["http://localhost:9464", "https://elsewhere.example", "null"])
def test_web_pages_are_refused(small: Serving, origin: str) -> None:
    """What carries `Origin`, as a page's POST always does: 403 on every path of inference, from its own name too."""
    for found in (
        post(small, EXPLAIN, ASKED, Origin=origin),
        post(small, "/v2/models/gru/infer", ASKED, Origin=origin),
        httpx.get(f"http://{small.bound.http}/v1/models", headers={"Origin": origin}, timeout=PATIENCE),
    ):
        assert (found.status_code, found.json()["reason"]) == (403, "WEB_PAGE_REFUSED")
        assert "Origin" in found.json()["error"]
    metrics = httpx.get(f"http://{small.bound.http}/metrics", headers={"Origin": origin}, timeout=PATIENCE)
    assert metrics.status_code == 200


def test_what_a_refused_body_held_is_let_go_at_once(small: Serving) -> None:
    """Not when the garbage collector comes by: with it off, nothing that was read of the body remains."""
    gc.disable()
    try:
        found = post(small, EXPLAIN, {"instances": [{"marked": [1]}] * 100})
        assert found.json()["reason"] == "TOO_MANY_ROWS"
        eventually(lambda: not any(type(each) is dict and "marked" in each for each in gc.get_objects()))
    finally:
        gc.enable()


def test_a_body_shorter_than_it_said_is_a_caller_that_left(small: Serving) -> None:
    """The connection ends before the body does: noted as 499, nobody is answered."""
    before = requests(small, 499)
    with connect(small) as client:
        client.sendall(head(1000) + b"{")
        client.shutdown(socket.SHUT_WR)
        received(client)
    eventually(lambda: requests(small, 499) == before + 1)


def test_a_body_longer_than_it_said_is_no_second_request(small: Serving) -> None:
    """What follows the length that was given is read as another request, and refused as none."""
    body = json.dumps(ASKED).encode()
    with connect(small) as client:
        client.sendall(head(2) + b"{}" + body + b"\r\n\r\n")
        found = received(client)
    assert found.count(b"HTTP/1.1 400") == 2
    assert b"Invalid HTTP request" in found


def test_a_slow_body_ends_with_its_deadline(small: Serving) -> None:
    """Half a body, and then nothing: 504 when the time given is over."""
    request = head(1000).replace(b"Host: x", b"Host: x\r\nX-Request-Timeout-Ms: 200")
    with connect(small) as client:
        client.sendall(request + b"{")
        found = received(client, b"DEADLINE_TOO_SHORT")
    assert found.startswith(b"HTTP/1.1 504")


def test_slow_headers_end_the_connection(small: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that never finishes its headers is let go; so is one that stalls in its second request."""
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.2)
    with connect(small) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost")
        assert received(client) == b""
    # The first request must be whole, however long this thread has to wait before it can send it.
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", PATIENCE)
    with connect(small) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert received(client, b"ok\n").startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.2)
        client.sendall(b"GET /hea")
        assert received(client) == b""


@pytest.mark.parametrize("header", ["X-Request-Timeout-Ms", "X-Envoy-Expected-Rq-Timeout-Ms"])
def test_a_deadline_in_a_header_is_kept(header: str) -> None:
    """The caller's own, or that of a gateway: what does not fit is 504."""
    with gated() as (server, _):
        found = post(server, EXPLAIN, ASKED, **{header: "150"})
        assert (found.status_code, found.json()["reason"]) == (504, "DEADLINE_TOO_SHORT")


@pytest.mark.parametrize("value", ["0", "-5", "soon", "nan", "inf", ""])
def test_a_deadline_that_is_none_is_refused(serving: Serving, value: str) -> None:
    """Not a number of milliseconds: 400, naming the header."""
    found = post(serving, EXPLAIN, ASKED, **{"X-Request-Timeout-Ms": value})
    assert (found.status_code, found.json()["reason"]) == (400, "OPTION_OUT_OF_RANGE")
    assert found.json()["violations"][0]["field"] == "x-request-timeout-ms"


def test_without_a_deadline_there_is_the_default() -> None:
    """`default_timeout` ends what no header limits."""
    with gated(default_timeout=0.3) as (server, _):
        assert post(server, EXPLAIN, ASKED).status_code == 504


def test_work_stops_when_the_caller_leaves() -> None:
    """The connection is closed in the midst of the work: no row goes on, and metrics say 499."""
    with gated() as (server, gate):
        body = json.dumps(ASKED).encode()
        with connect(server) as client:
            client.sendall(head(len(body)) + body)
            gate.begun.acquire()
        eventually(lambda: depth(server, "sequela_inflight") == 0)
        eventually(lambda: requests(server, 499) == 1)
        assert gate.stopped


def test_a_full_queue_is_429_and_says_when_to_come_back() -> None:
    """No seat and no place in the queue: refused at once, with Retry-After in whole seconds."""
    with gated(upload_engines=1, queue_size=0) as (server, gate), ThreadPoolExecutor(1) as threads:
        first = threads.submit(post, server, EXPLAIN, ASKED)
        gate.begun.acquire()
        found = post(server, EXPLAIN, ASKED)
        assert (found.status_code, found.json()["reason"]) == (429, "QUEUE_FULL")
        assert int(found.headers["retry-after"]) >= found.json()["retry_after"] > 0
        gate.open.set()
        assert first.result().status_code == 200


def test_the_loop_answers_while_requests_are_worked_on() -> None:
    """Probes and metrics come at once while an explanation is held."""
    with gated() as (server, gate), ThreadPoolExecutor(1) as threads:
        held = threads.submit(post, server, EXPLAIN, ASKED)
        gate.begun.acquire()
        for path in ("/healthz", "/metrics", "/v2/health/live", "/v1/models/gru"):
            assert get(server, path).status_code == 200
        assert not held.done()
        gate.open.set()


def test_an_error_of_ours_says_nothing_but_its_id() -> None:
    """500 with the request id that came in; the text of the error stays in the log."""

    def fail(*_: Any) -> None:
        raise RuntimeError("secret")

    with Serving(in_process(), explainer=Scripted(fail)) as server:
        register(server, "gru")
        found = post(server, EXPLAIN, ASKED, **{"X-Request-Id": "case-9"})
        assert (found.status_code, found.json()["reason"]) == (500, "INTERNAL")
        assert found.json()["request_id"] == found.headers["x-request-id"] == "case-9"
        assert "secret" not in found.text


def test_requests_are_counted_and_timed(serving: Serving) -> None:
    """By route, method and code; the names in the path are no labels."""
    before, timed = (
        requests(serving, 200),
        sample(serving, "sequela_http_request_seconds_count", **ROUTE) or 0,
    )
    assert post(serving, EXPLAIN, {**ASKED, "parameters": USUAL}).status_code == 200
    assert requests(serving, 200) == before + 1
    assert sample(serving, "sequela_http_request_seconds_count", **ROUTE) == timed + 1


def test_a_drain_lets_requests_conclude() -> None:
    """What is at work is answered; who comes later is told DRAINING, with a time to come back elsewhere."""
    with gated(drain_grace=PATIENCE) as (server, gate), ThreadPoolExecutor(2) as threads:
        held = threads.submit(post, server, EXPLAIN, ASKED)
        gate.begun.acquire()
        ending = threading.Thread(target=server.drain)
        ending.start()
        eventually(lambda: get(server, "/readyz").status_code == 503)
        eventually(lambda: post(server, EXPLAIN, ASKED).status_code == 503)
        late = post(server, EXPLAIN, ASKED)
        assert (late.json()["reason"], late.headers["retry-after"]) == ("DRAINING", "1")
        gate.open.set()
        assert held.result().status_code == 200
        ending.join(PATIENCE)


def test_a_drain_ends_what_does_not_conclude() -> None:
    """Work that is still held when the grace is over is answered 503 DRAINING before the door closes."""
    with gated(drain_grace=0.5) as (server, gate), ThreadPoolExecutor(1) as threads:
        held = threads.submit(post, server, EXPLAIN, ASKED)
        gate.begun.acquire()
        server.drain()
        assert (held.result().status_code, held.result().json()["reason"]) == (503, "DRAINING")


def test_binary_tensors_are_refused(serving: Serving) -> None:
    """Triton's extension of the protocol: 501, and what to do instead."""
    found = post(serving, "/v2/models/gru/infer", b"{}", **{"Inference-Header-Content-Length": "2"})
    assert (found.status_code, found.json()["reason"]) == (501, "BINARY_TENSORS_UNSUPPORTED")


@pytest.mark.parametrize(("wanted", "code"), [(True, 501), (1, 501), (False, 200)])
def test_binary_answers_are_refused(serving: Serving, wanted: object, code: int) -> None:
    """Asked for by the parameter that Triton has for it; said not to be wanted, it is nothing."""
    body = json.loads(
        inference_calls.as_json(inference_calls.infer_request("gru", ROWS, ("score",), raw=False))
    )
    body["parameters"] = {"binary_data_output": wanted}
    found = post(serving, "/v2/models/gru/infer", body)
    assert found.status_code == code
    assert code == 200 or "parameters.binary_data_output must be false" in found.json()["error"]


ERRORS = [
    (errors.InvalidInput("A", "a"), 400),
    (errors.NotAuthenticated("L", "l"), 401),
    (errors.NotPermitted("M", "m"), 403),
    (errors.NotFound("B", "b"), 404),
    (errors.AlreadyExists("C", "c"), 409),
    (errors.DoesNotFit("D", "d"), 422),
    (errors.Forbidden("E", "e"), 422),
    (errors.Overloaded("F", "f", retry_after=1.2), 429),
    (errors.Cancelled("G", "g"), 499),
    (errors.Unsupported("H", "h"), 501),
    (errors.Unavailable("I", "i", retry_after=1.2), 503),
    (errors.OutOfTime("J", "j"), 504),
]


def test_every_error_has_its_code() -> None:
    """Each class of errors, with its reason and its text; those that say when to come back say it in the header too."""
    assert {type(error) for error, _ in ERRORS} == set(errors.SequelaError.__subclasses__())
    wanted: list[errors.SequelaError] = []

    def fail(*_: Any) -> None:
        raise wanted[-1]

    with Serving(in_process(), explainer=Scripted(fail)) as server:
        register(server, "gru")
        for error, code in ERRORS:
            wanted.append(error)
            found = post(server, EXPLAIN, ASKED)
            said = found.json()
            assert (found.status_code, said["reason"], said["error"]) == (code, error.reason, error.message)
            assert found.headers.get("retry-after") == ("2" if error.retry_after else None)
            assert said.get("retry_after") == error.retry_after


@pytest.mark.slow
def test_callers_that_leave_leave_nothing_behind() -> None:
    """After hundreds of requests, half of them abandoned in the midst of the body or of the work: no task, no thread
    and no connection more than after the first few.
    """
    body = json.dumps({**ASKED, "parameters": {**USUAL, "max_coalitions": 512}}).encode()

    def ask(number: int) -> None:
        if number % 2:
            assert post(server, EXPLAIN, body).status_code == 200
            return
        with connect(server) as client:
            client.sendall(head(len(body)) + body[: number % 3 * len(body)])

    def left() -> tuple[int, int, int]:
        return server.run(count_tasks()), threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    few = embedded(upload_engines=1, lookup_threads=1)  # threads that are all there after the first requests
    with Serving(few) as server, ThreadPoolExecutor(4) as threads:
        register(server, "gru")
        inference_calls.create_background(server, BY_NAME["gru"])
        list(threads.map(ask, range(60)))
        eventually(lambda: depth(server, "sequela_inflight") == 0)
        before = left()
        list(threads.map(ask, range(400)))
        eventually(lambda: depth(server, "sequela_inflight") == 0)
        eventually(lambda: all(now <= then for now, then in zip(left(), before, strict=True)))


async def count_tasks() -> int:
    return len(asyncio.all_tasks())
