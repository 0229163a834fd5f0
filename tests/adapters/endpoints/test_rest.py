"""A served model over HTTP, by both protocols: what comes back is what the file gives, and every way to fail has its
error.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inference_rest import Handler, RestServer
from inference_server import Certificates, ServedModel
from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.transport import Description, OutputSignature
from sequela.adapters.model_io.signature import InputSignature
from sequela.errors import DoesNotFit, Forbidden, Overloaded
from sequela.explaining.clock import TimeUp
from sequela.explaining.ports import TryAgain
from sequela.explaining.schema import Dtype
from small_onnx import FLOAT, HALF, over_events, reduced, scoring, value
from transports import PATIENCE, ROWS, SCORER, TWO_INPUTS, eventually, failing, opened, soon, threads

BOTH = pytest.mark.parametrize("protocol", ["v1", "v2"])
STEPS = over_events([reduced("events", "steps", [2])], value("steps", FLOAT, ["n", "l"]))
HALVES = scoring({"events": (HALF, ["n", "l", 3])})


@pytest.fixture
def server() -> Iterator[RestServer]:
    contents = {"m": SCORER, "steps": STEPS, "two": TWO_INPUTS, "halves": HALVES}
    with RestServer({name: ServedModel(content) for name, content in contents.items()}) as running:
        yield running


def expected(rows: Any) -> Any:
    """What the scorer is made to give."""
    return 1 / (1 + np.exp(-rows.astype(np.float64).mean(axis=(1, 2)) / 10))


def ask(uri: str, **named: Any) -> Any:
    """The scores of two rows."""
    with opened(uri, **named) as transport:
        return transport.infer({"events": ROWS}, "", soon())


@BOTH
def test_infer(server: RestServer, protocol: str) -> None:
    """Outputs equal the graph's, as float64."""
    scores = ask(server.uri("m", protocol))
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected(ROWS), rtol=1e-6)


@BOTH
def test_rows_and_steps_keep_their_places(server: RestServer, protocol: str) -> None:
    """Also where the array in memory is not in row-major order, and numbers keep their last digits."""
    events = np.random.default_rng(0).normal(size=(5, 4, 4)).astype(np.float32).transpose(2, 0, 1)
    with opened(server.uri("steps", protocol)) as transport:
        steps = transport.infer({"events": events}, "steps", soon())
    np.testing.assert_allclose(steps, events.mean(axis=2), rtol=1e-5, atol=1e-6)


@BOTH
def test_several_inputs(server: RestServer, protocol: str) -> None:
    """Each goes under its name with its own type."""
    ids = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    with opened(server.uri("two", protocol)) as transport:
        scores = transport.infer({"ids": ids, "events": ROWS}, "", soon())
    totals = ROWS.astype(np.float64).mean(axis=(1, 2)) + ids.mean(axis=1)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-totals / 10)), rtol=1e-6)


@BOTH
def test_half_floats(server: RestServer, protocol: str) -> None:
    """JSON has no types, so that halves go as the numbers they are."""
    with opened(server.uri("halves", protocol)) as transport:
        scores = transport.infer({"events": ROWS.astype(np.float16)}, "", soon())
    np.testing.assert_allclose(scores, expected(ROWS.astype(np.float16)), rtol=1e-3)


def test_describe(server: RestServer) -> None:
    """Version 2 has metadata, and Triton its row limit; version 1 has none."""
    server.models["two"].max_rows = 64
    with opened(server.uri("two")) as transport:
        described = transport.describe(soon())
    assert described == Description(
        inputs=(
            InputSignature("events", Dtype.FLOAT32, "float32", (None, None, 3)),
            InputSignature("ids", Dtype.INT64, "int64", (None, None)),
        ),
        outputs=(OutputSignature("score", (None,)),),
        versions=("1",),
        platform="onnxruntime_onnx",
        most_rows=64,
    )
    with opened(server.uri("two", "v1")) as transport:
        assert transport.describe(soon()) == Description()


def test_metadata_that_says_little(server: RestServer) -> None:
    """What a server leaves out or writes as null is empty."""
    server.twist = lambda handler, answer: (
        handler.say(b'{"name": "m", "versions": null}') if handler.path.endswith("/m") else answer()
    )
    with opened(server.uri("m")) as transport:
        assert transport.describe(soon()) == Description()


def test_what_is_sent(server: RestServer) -> None:
    """Version 2: names, types, shapes, flat data, and the output asked for, at the version's path."""
    with opened(server.uri("m"), version="1") as transport:
        transport.infer({"events": ROWS[:, :1]}, "score", soon())
    visit = server.visits[-1]
    assert visit.path == "/v2/models/m/versions/1/infer"
    [sent] = visit.body["inputs"]
    assert (sent["name"], sent["datatype"], sent["shape"]) == ("events", "FP32", [2, 1, 3])
    assert np.array_equal(np.array(sent["data"], np.float32), ROWS[:, :1].reshape(-1))
    assert visit.body["outputs"] == [{"name": "score"}]
    assert visit.headers["user-agent"].startswith("sequela")
    assert visit.headers["host"] == f"127.0.0.1:{server.port}"
    assert "authorization" not in visit.headers


def test_instances(server: RestServer) -> None:
    """Version 1: arrays where there is one input, objects by input name where there are several."""
    with opened(server.uri("m", "v1")) as transport:
        transport.infer({"events": ROWS}, "", soon())
    assert server.visits[-1].path == "/v1/models/m:predict"
    assert np.shape(server.visits[-1].body["instances"]) == (2, 4, 3)
    with opened(server.uri("two", "v1"), version="7") as transport:
        transport.infer({"events": ROWS, "ids": np.ones((2, 4), np.int64)}, "", soon())
    assert server.visits[-1].path == "/v1/models/two/versions/7:predict"
    assert [sorted(row) for row in server.visits[-1].body["instances"]] == [["events", "ids"]] * 2


def saying(content: Any, status: int = 200, **headers: str) -> Any:
    """A server that always says this."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda handler, answer: handler.say(body, status, **headers)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ([0.5, 0.25], [0.5, 0.25]),
        ([1, 0], [1, 0]),
        ([True, False], [1, 0]),
        ([[0.5], [0.25]], [[0.5], [0.25]]),
        ([{"other": 9, "score": 0.5}, {"score": 0.25, "other": 9}], [0.5, 0.25]),
        ([{"score": [1, 2]}, {"score": [3, 4]}], [[1, 2], [3, 4]]),
        ([None, 0.25], [np.nan, 0.25]),
        ([float("nan"), float("-inf")], [np.nan, -np.inf]),
    ],
)
def test_predictions(server: RestServer, given: Any, values: Any) -> None:
    """Numbers, lists, or objects by output name; NaN, however it is written, is left to the model layer."""
    server.twist = saying({"predictions": given})
    with opened(server.uri("m", "v1")) as transport:
        np.testing.assert_array_equal(transport.infer({"events": ROWS}, "score", soon()), values)


def test_the_first_of_named_predictions(server: RestServer) -> None:
    """Where no output is asked for."""
    server.twist = saying({"predictions": [{"a": 1, "b": 2}, {"b": 4, "a": 3}]})
    np.testing.assert_array_equal(ask(server.uri("m", "v1")), [1, 3])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"predictions": [0.5]}, "1 of them"),
        ({"predictions": [0.5, 0.5, 0.5]}, "3 of them"),
        ({"predictions": 0.5}, "none"),
        ({"outputs": [0.5, 0.5]}, "none"),
        ([0.5, 0.5], "none"),
        (None, "none"),
        ({"predictions": ["0.5", "0.5"]}, "not an array of numbers"),
        ({"predictions": [[1, 2], [3]]}, "not an array of numbers"),
        ({"predictions": [0.5, {"score": 0.5}]}, "not an array of numbers"),
        ({"predictions": [0.5, [0.5]]}, "not an array of numbers"),
        ({"predictions": [0.5, "x"]}, "not an array of numbers"),
        ({"predictions": [1 << 70, -(1 << 2000)]}, "not"),
        ({"predictions": [{"a": 1}, {"b": 1}]}, "'score'"),
        (b"<html>welcome</html>", "not JSON"),
        (b"", "not JSON"),
        (b'{"predictions": [NaN, Infinity', "not JSON"),
        (b"[" * 100_000 + b"NaN", "not JSON"),
        (b'{"predictions": [' + b"[" * 200 + b"]" * 200 + b", 1]}", "not an array of numbers"),
        (b'\xff\xfe{"predictions"', "not JSON"),
    ],
)
def test_predictions_that_are_none(server: RestServer, given: Any, words: str) -> None:
    """A wrong answer is never a wrong number."""
    server.twist = saying(given)
    with (
        opened(server.uri("m", "v1")) as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", words),
    ):
        transport.infer({"events": ROWS}, "score", soon())


def inferred(**changed: Any) -> dict[str, Any]:
    """A good answer to a call of two rows, with fields of the output changed."""
    output = {"name": "score", "datatype": "FP32", "shape": [2], "data": [0.5, 0.25], **changed}
    return {"model_name": "m", "model_version": "1", "outputs": [output]}


@pytest.mark.parametrize(
    ("answer", "values"),
    [
        (inferred(), [0.5, 0.25]),
        (inferred(shape=[2, 1], data=[[0.5], [0.25]]), [[0.5], [0.25]]),
        (inferred(datatype="BOOL", data=[True, False]), [1, 0]),
        (inferred(datatype="INT64", data=[-3, 1 << 40]), [-3, 1 << 40]),
        ({"outputs": inferred()["outputs"]}, [0.5, 0.25]),
        ({**inferred(), "model_version": None, "id": "x"}, [0.5, 0.25]),
        (inferred(data=[None, float("inf")]), [np.nan, np.inf]),
    ],
)
def test_forms_of_an_answer(server: RestServer, answer: Any, values: Any) -> None:
    """Flat or nested data of every type of numbers."""
    server.twist = saying(answer)
    with opened(server.uri("m"), version="1") as transport:
        np.testing.assert_array_equal(transport.infer({"events": ROWS}, "score", soon()), values)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({**inferred(), "model_name": "other"}, "'other'"),
        ({**inferred(), "model_version": "2"}, "'2'"),
        (inferred(name="other"), "'other'"),
        ({"outputs": []}, "none"),
        ({"model_name": "m"}, "outputs: "),
        ([], "another form"),
        (inferred(datatype="BYTES", data=["a", "b"]), "BYTES"),
        (inferred(data=["0.5", "0.5"]), "not an array of numbers"),
        (inferred(shape=[1], data=[0.5]), "for 2 rows"),
        (inferred(shape=[]), "2 values"),
        (inferred(shape=[2, 2]), "2 values"),
        (inferred(shape=[-2, -1]), "2 values"),
        (inferred(shape=["a"]), "shape"),
        (inferred(data=0.5), "data"),
        (b"\x00\x01", "not JSON"),
    ],
)
def test_answers_that_are_none(server: RestServer, answer: Any, words: str) -> None:
    """A wrong answer is never a wrong number."""
    server.twist = saying(answer)
    with (
        opened(server.uri("m"), version="1") as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", words),
    ):
        transport.infer({"events": ROWS}, "score", soon())


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"name": "other"}, "'other'"),
        ({"name": "m", "versions": ["2", "3"]}, "'2', '3'"),
        ({"name": "m", "inputs": "events"}, "inputs"),
        ({"name": "m", "inputs": [{"name": "events"}]}, "inputs.0.datatype"),
        ([], "another form"),
    ],
)
def test_metadata_that_is_none(server: RestServer, metadata: Any, words: str) -> None:
    """Metadata must be of the model and the version asked for, and of the protocol's form."""
    server.twist = saying(metadata)
    with (
        opened(server.uri("m"), version="1") as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "metadata", words),
    ):
        transport.describe(soon())


STATUSES = {
    400: (DoesNotFit, "ENDPOINT_REFUSED"),
    401: (DoesNotFit, "ENDPOINT_REFUSED"),
    403: (DoesNotFit, "ENDPOINT_REFUSED"),
    404: (DoesNotFit, "ENDPOINT_REFUSED"),
    413: (DoesNotFit, "ENDPOINT_REFUSED"),
    429: (Overloaded, "ENDPOINT_OVERLOADED"),
    500: (DoesNotFit, "ENDPOINT_REFUSED"),
    501: (DoesNotFit, "ENDPOINT_REFUSED"),
    502: (TryAgain, "ENDPOINT_UNAVAILABLE"),
    503: (TryAgain, "ENDPOINT_UNAVAILABLE"),
    504: (TryAgain, "ENDPOINT_UNAVAILABLE"),
}


@BOTH
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_error(server: RestServer, protocol: str, status: int) -> None:
    """With the server's own words, from JSON or plain text, cut to one printable line."""
    error, reason = STATUSES[status]
    for content in ({"error": "no\n\x1b[31m way" + "x" * 5000}, b"no\n\x1b[31m way" + b"x" * 5000):
        server.twist = saying(content, status)
        with failing(error, reason, f"HTTP {status}: no [31m wayxxx"):
            ask(server.uri("m", protocol))


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("0", 0), ("999999", 3600), ("soon", 1), ("-1", 1)])
def test_when_an_overloaded_server_wants_to_be_asked_again(
    server: RestServer, said: str, seconds: float
) -> None:
    """Its Retry-After is kept, within an hour."""
    server.twist = saying(b"busy", 429, Retry_After=said)
    with pytest.raises(Overloaded) as caught:
        ask(server.uri("m"))
    assert caught.value.retry_after == seconds


@BOTH
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_redirects_are_not_followed(server: RestServer, protocol: str, status: int) -> None:
    """A redirect would lead past the allow-list: it is a refusal that names where it leads."""
    server.twist = saying(b"", status, Location="http://169.254.169.254/latest")
    with failing(DoesNotFit, "ENDPOINT_REFUSED", f"HTTP {status}", "http://169.254.169.254/latest"):
        ask(server.uri("m", protocol))
    assert len(server.visits) == 1


def test_a_call_over_our_limit(server: RestServer) -> None:
    """Is not sent; the error names both sizes."""
    with failing(DoesNotFit, "ENDPOINT_REFUSED", "limit of 100 bytes"):
        ask(server.uri("m"), message_bytes=100)
    assert server.visits == []


@BOTH
def test_an_answer_over_our_limit(server: RestServer, protocol: str) -> None:
    """Is not read to its end, whether or not its length is announced."""

    def endless(handler: Handler, answer: Any) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"400\r\n" + b"1" * 1024 + b"\r\n")

    server.twist = endless
    with failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "limit of 5000 bytes"):
        ask(server.uri("m", protocol), message_bytes=5000)
    server.twist = saying(b" " * 6000)
    with failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "limit of 5000 bytes"):
        ask(server.uri("m", protocol), message_bytes=5000)


def dripping(handler: Handler, content: bytes) -> None:
    """Sends a byte now and then, for as long as anybody listens."""
    handler.close_connection = True
    for byte in content:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.01)


DRIPS = {
    "nothing at all": lambda handler: time.sleep(5),
    "a status line": lambda handler: dripping(handler, b"HTTP/1.1 200 " + b"O" * 1000),
    "headers": lambda handler: dripping(handler, b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1000),
    "a body": lambda handler: dripping(
        handler, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000
    ),
}


@BOTH
@pytest.mark.parametrize("drip", DRIPS)
def test_the_end_of_the_time(server: RestServer, protocol: str, drip: str) -> None:
    """Each byte comes soon enough, and all of them do not: the time holds for the call as a whole."""
    server.twist = lambda handler, answer: DRIPS[drip](handler)
    with opened(server.uri("m", protocol)) as transport:
        with pytest.raises(TimeUp):
            transport.infer({"events": ROWS}, "", soon(0.15))
        with pytest.raises(TimeUp):
            transport.infer({"events": ROWS}, "", soon(-1))
        server.twist = None
        np.testing.assert_allclose(transport.infer({"events": ROWS}, "", soon()), expected(ROWS), rtol=1e-6)


def cut_off(handler: Handler, answer: Any) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


LOST = {
    "reset": lambda handler, answer: handler.hang_up(),
    "closed": lambda handler, answer: setattr(handler, "close_connection", True),
    "cut off": cut_off,
}


@BOTH
@pytest.mark.parametrize("how", LOST)
def test_lost_connections(server: RestServer, protocol: str, how: str) -> None:
    """A call whose answer does not come back may be sent again."""
    server.twist = LOST[how]
    with opened(server.uri("m", protocol)) as transport:
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE", "/models/m"):
            transport.infer({"events": ROWS}, "", soon())
        server.twist = None
        transport.infer({"events": ROWS}, "", soon())


def test_what_does_not_speak_http(server: RestServer) -> None:
    """Another protocol on the port is no answer."""

    def other(handler: Handler, answer: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    server.twist = other
    with failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "HTTP/1.1"):
        ask(server.uri("m"))


@BOTH
def test_nobody_there_and_back(server: RestServer, protocol: str) -> None:
    """An endpoint that is down is TryAgain; once it is back, the same transport finds it."""
    with opened(server.uri("m", protocol)) as transport:
        server.stop()
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE", "/models/m"):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())
        server.start()
        assert transport.ready(soon())
        transport.infer({"events": ROWS}, "", soon())


@pytest.mark.parametrize(
    ("twist", "ready"),
    [
        (None, True),
        (saying(b""), True),
        (saying({"name": "m", "ready": True}), True),
        (saying({"name": "m", "ready": False}), False),
        (saying({"name": "m", "ready": "False"}), False),
        (saying(b"", 503), False),
        (saying(b"", 302, Location="/"), False),
    ],
)
@BOTH
def test_ready(server: RestServer, protocol: str, twist: Any, ready: bool) -> None:
    """A model is ready where its path is there and does not say otherwise."""
    server.twist = twist
    with opened(server.uri("m", protocol)) as transport:
        assert transport.ready(soon()) is ready


def test_closed_in_mid_call(server: RestServer) -> None:
    """Our own close ends calls under way and all later ones."""
    started, free = threading.Event(), threading.Event()
    server.twist = lambda handler, answer: (started.set(), free.wait(PATIENCE))
    with opened(server.uri("m")) as transport, ThreadPoolExecutor(1) as pool:
        call = pool.submit(transport.infer, {"events": ROWS}, "", soon())
        started.wait(PATIENCE)
        transport.close()
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE"):
            call.result(PATIENCE)
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE", "closed"):
            transport.infer({"events": ROWS}, "", soon())
        free.set()


def test_many_threads_at_once(server: RestServer) -> None:
    """One transport serves them all, and the calls run side by side."""
    gate = threading.Barrier(8)
    server.twist = lambda handler, answer: (gate.wait(PATIENCE), answer())
    with opened(server.uri("m")) as transport, ThreadPoolExecutor(8) as pool:
        batches = [ROWS * step for step in range(8)]
        answers = list(pool.map(lambda rows: transport.infer({"events": rows}, "", soon()), batches))
    for rows, scores in zip(batches, answers, strict=True):
        np.testing.assert_allclose(scores, expected(rows), rtol=1e-6)


def loopback(uri: Any) -> AddressGuard:
    return AddressGuard(uri, (ip_network("127.0.0.0/8"), ip_network("::1/128")))


@BOTH
def test_a_name_that_resolves_to_a_private_address(server: RestServer, protocol: str) -> None:
    """Is refused when it is connected to; nothing reaches the server. With its network allowed it does, and the
    server hears its name.
    """
    uri = server.uri("m", protocol).replace("127.0.0.1", "localhost")
    with opened(uri, guard=AddressGuard) as transport:
        with pytest.raises(Forbidden):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())
    assert server.visits == []
    ask(uri, guard=loopback)
    assert server.visits[-1].headers["host"] == f"localhost:{server.port}"


def test_a_host_that_is_not_known() -> None:
    """May be asked for again."""
    with failing(TryAgain, "ENDPOINT_UNAVAILABLE"):
        ask("http://no-such-name.invalid/v2/models/m")


def test_link_local_is_refused_from_the_operator_too() -> None:
    """A cloud's metadata server is no model."""
    with pytest.raises(Forbidden), opened("http://169.254.169.254/v2/models/m"):
        pass


def test_the_environment_is_not_asked(server: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve names itself, unguarded."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    ask(server.uri("m"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


def test_mutual_tls(certificates: Certificates) -> None:
    """By the name in the certificate, whatever address it leads to, and with a certificate of our own where one is
    wanted.
    """
    with RestServer({"m": ServedModel(SCORER)}, certificates, client_certificates=True) as server:
        credentials = Credentials(certificates.ca, *certificates.client)
        uri = server.uri("m").replace("127.0.0.1", "localhost")
        np.testing.assert_allclose(
            ask(uri, credentials=credentials, guard=loopback), expected(ROWS), rtol=1e-6
        )
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE"):
            ask(uri, credentials=Credentials(certificates.ca))


def test_servers_that_are_not_believed(certificates: Certificates, tmp_path: Path) -> None:
    """Another authority's, or another name's."""
    with (
        RestServer({"m": ServedModel(SCORER)}, certificates) as server,
        failing(TryAgain, "ENDPOINT_UNAVAILABLE"),
    ):
        ask(server.uri("m"))
    other = Certificates(tmp_path, "other.example")
    with RestServer({"m": ServedModel(SCORER)}, other) as server, failing(TryAgain, "ENDPOINT_UNAVAILABLE"):
        ask(server.uri("m"), credentials=Credentials(other.ca))


def test_a_token_is_read_for_every_call(certificates: Certificates, tmp_path: Path) -> None:
    """What the file holds now is what is sent."""
    token = tmp_path / "token"
    token.write_text("first\n")
    credentials = Credentials(certificates.ca, token=token)
    with (
        RestServer({"m": ServedModel(SCORER)}, certificates) as server,
        opened(server.uri("m"), credentials=credentials) as transport,
    ):
        transport.infer({"events": ROWS}, "", soon())
        token.write_text("second")
        transport.infer({"events": ROWS}, "", soon())
        assert [visit.headers["authorization"] for visit in server.visits] == [
            "Bearer first",
            "Bearer second",
        ]
        token.unlink()
        with failing(DoesNotFit, "ENDPOINT_REFUSED", str(token)):
            transport.infer({"events": ROWS}, "", soon())


def test_nothing_stays_behind(server: RestServer) -> None:
    """Neither threads nor sockets of a hundred transports, used and closed."""
    ask(server.uri("m"))
    before, files = threads(), len(os.listdir("/proc/self/fd"))
    for number in range(100):
        server.twist = LOST["cut off"] if number % 3 == 0 else None
        with opened(server.uri("m"), guard=loopback) as transport:
            transport.ready(soon())
    eventually(lambda: len(threads() - before) == 0)
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= files + 2)
