"""How calls over HTTP fail, each way with its error, and none past its time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from inference_rest import Handler, RestServer, closed, cut_off, reset, saying
from sequela.adapters.endpoints.failures import RetryableError
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit, Overloaded, Unavailable
from transports import (
    ROWS,
    ask,
    expected,
    failing,
    opened,
    soon,
)

BOTH = pytest.mark.parametrize("protocol", ["v1", "v2"])


STATUSES = {
    400: (DoesNotFit, "ENDPOINT_REFUSED"),
    401: (DoesNotFit, "ENDPOINT_REFUSED"),
    403: (DoesNotFit, "ENDPOINT_REFUSED"),
    404: (DoesNotFit, "ENDPOINT_REFUSED"),
    413: (DoesNotFit, "ENDPOINT_REFUSED"),
    429: (Overloaded, "ENDPOINT_OVERLOADED"),
    500: (DoesNotFit, "ENDPOINT_REFUSED"),
    501: (DoesNotFit, "ENDPOINT_REFUSED"),
    502: (Unavailable, "ENDPOINT_UNAVAILABLE"),
    503: (RetryableError, "ENDPOINT_UNAVAILABLE"),
    504: (Unavailable, "ENDPOINT_UNAVAILABLE"),
}


@BOTH
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_error(web: RestServer, protocol: str, status: int) -> None:
    """With the server's own words, from JSON or plain text, cut to one printable line."""
    error, reason = STATUSES[status]
    for content in ({"error": "no\n\x1b[31m way" + "x" * 5000}, b"no\n\x1b[31m way" + b"x" * 5000):
        web.twist = saying(content, status)
        with failing(error, reason, f"HTTP {status}: no [31m wayxxx"):
            ask(web.uri("m", protocol))


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("0", 0), ("999999", 3600), ("soon", 1), ("-1", 1)])
@pytest.mark.parametrize("status", [429, 503])
def test_when_an_overloaded_server_wants_to_be_asked_again(
    web: RestServer, status: int, said: str, seconds: float
) -> None:
    """Its Retry-After is kept, within an hour."""
    web.twist = saying(b"busy", status, Retry_After=said)
    with pytest.raises((Overloaded, RetryableError)) as caught:
        ask(web.uri("m"))
    assert getattr(caught.value, "error", caught.value).retry_after == seconds


@BOTH
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_redirects_are_not_followed(web: RestServer, protocol: str, status: int) -> None:
    """A redirect would lead past the allow-list: it is a refusal that names where it leads."""
    web.twist = saying(b"", status, Location="http://169.254.169.254/latest")
    with failing(DoesNotFit, "ENDPOINT_REFUSED", f"HTTP {status}", "http://169.254.169.254/latest"):
        ask(web.uri("m", protocol))
    assert len(web.visits) == 1


def test_a_call_over_our_limit(web: RestServer) -> None:
    """Is not sent; the error names both sizes."""
    with failing(DoesNotFit, "ENDPOINT_REFUSED", "limit of 100 bytes"):
        ask(web.uri("m"), message_bytes=100)
    assert web.visits == []


@BOTH
def test_an_answer_over_our_limit(web: RestServer, protocol: str) -> None:
    """Is not read to its end, whether or not its length is announced."""

    def endless(handler: Handler, answer: Any) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"400\r\n" + b"1" * 1024 + b"\r\n")

    web.twist = endless
    with failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "limit of 5000 bytes"):
        ask(web.uri("m", protocol), message_bytes=5000)
    web.twist = saying(b" " * 6000)
    with failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "limit of 5000 bytes"):
        ask(web.uri("m", protocol), message_bytes=5000)


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


@pytest.mark.parametrize("protocol", [pytest.param("v1", marks=pytest.mark.slow), "v2"])
@pytest.mark.parametrize("drip", DRIPS)
def test_the_end_of_the_time(web: RestServer, protocol: str, drip: str) -> None:
    """Each byte comes soon enough, and all of them do not: the time holds for the call as a whole."""
    web.twist = lambda handler, answer: DRIPS[drip](handler)
    with opened(web.uri("m", protocol)) as transport:
        with pytest.raises(DeadlinePassed):
            transport.infer({"events": ROWS}, "", soon(0.15))
        with pytest.raises(DeadlinePassed):
            transport.infer({"events": ROWS}, "", soon(-1))
        web.twist = None
        np.testing.assert_allclose(transport.infer({"events": ROWS}, "", soon()), expected(ROWS), rtol=1e-6)


LOST = {"reset": reset, "closed": closed, "cut off": cut_off}


@BOTH
@pytest.mark.parametrize("how", LOST)
def test_lost_connections(web: RestServer, protocol: str, how: str) -> None:
    """A call whose answer does not come back may be sent again."""
    web.twist = LOST[how]
    with opened(web.uri("m", protocol)) as transport:
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE", "/models/m"):
            transport.infer({"events": ROWS}, "", soon())
        web.twist = None
        transport.infer({"events": ROWS}, "", soon())


def test_what_does_not_speak_http(web: RestServer) -> None:
    """Another protocol on the port is no answer."""

    def other(handler: Handler, answer: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    web.twist = other
    with failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "HTTP/1.1"):
        ask(web.uri("m"))


@BOTH
def test_nobody_there_and_back(web: RestServer, protocol: str) -> None:
    """An endpoint that is down is RetryableError; once it is back, the same transport finds it."""
    with opened(web.uri("m", protocol)) as transport:
        web.stop()
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE", "/models/m"):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())
        web.start()
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
def test_ready(web: RestServer, protocol: str, twist: Any, ready: bool) -> None:
    """A model is ready where its path is there and does not say otherwise."""
    web.twist = twist
    with opened(web.uri("m", protocol)) as transport:
        assert transport.ready(soon()) is ready
