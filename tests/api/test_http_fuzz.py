"""Thousands of seeded HTTP requests, most of them wrong: the caller is told what is wrong, and never that we failed."""

from __future__ import annotations

import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from api.inference_calls import create_background
from api.rpc_calls import register
from api.test_kserve import ONE, USUAL, post
from matrix import BY_NAME
from request_fuzz.values import SPLICES, splice
from serving import Serving, embedded
from waiting import PATIENCE

SEED = 20_261_126
PATHS = (
    "/v1/models/gru:explain",
    "/v1/models/gru:predict",
    "/v2/models/gru/infer",
    "/v2/models/gru/versions/1/infer",
    "/v1/models/nobody:explain",
    "/v1/models/gru",
    "/v2/models/gru/ready",
    "/v2/health/ready",
    "/v1/models",
    "/v1/models/%ff%fe:explain",
    "/v1/models/%ED%A0%80:predict",
    "/v2/models/a%2Fb/infer",
    "/v1/models/gru:explain?caller=%ff",
    "//",
)
HEADERS = (
    "X-Request-Timeout-Ms: 99999999999999999999999999999999999",
    "X-Request-Timeout-Ms: 1e400",
    "X-Request-Timeout-Ms: 1e-320",
    "X-Request-Timeout-Ms: \xb2",
    "X-Request-Id: \xff\xfe",
    "X-Request-Id: " + "a" * 5000,
    "Content-Type: application/json; charset=utf-16",
    "Content-Encoding: \xe9",
    "Accept: \xff",
)
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig")
HALVES_PASS = "surrogatepass"
STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "\ud800",
    "a\x00b",
    [],
    {},
    [[]],
    [[[]]],
    "NaN",
    "\U0010ffff",
)


def bodies(rng: random.Random) -> bytes:
    """A body: a right one, changed in its structure, its text, its encoding or its bytes."""
    content = json.loads(json.dumps(rng.choice(([], {}, None, {"inputs": []}, RIGHT, RIGHT, V2, V2))))
    for _ in range(rng.randrange(4)):
        content = _changed(content, rng)
    if rng.random() < 0.1:
        content = {
            **RIGHT,
            "parameters": {**RIGHT["parameters"], "caller_id": rng.choice(("\ud800", "a\udfff"))},
        }
    text = json.dumps(content, ensure_ascii=rng.random() < 0.5)
    body = text.encode(rng.choice(ENCODINGS) if rng.random() < 0.3 else "utf-8", HALVES_PASS)
    for _ in range(rng.choice((0, 0, 1, 2))):
        body = splice(body, rng.choice(SPLICES), rng)
    return body


RIGHT: dict[str, Any] = {"instances": ONE, "parameters": {**USUAL, "max_coalitions": 128, "caller_id": "c"}}
V2 = {
    "inputs": [{"name": "events", "shape": [1, 2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}],
    "parameters": {"levels": "event", "labels": "{}"},
    "outputs": [{"name": "score"}],
    "id": "x",
}


def _changed(content: object, rng: random.Random) -> object:
    """The same JSON with one value, or one key, replaced by something strange."""
    if isinstance(content, dict) and content and rng.random() < 0.9:
        key = rng.choice(list(content))
        if rng.random() < 0.2:
            return {
                **content,
                rng.choice(("", "\ud800", "x" * 300, "instances", "\x00")): rng.choice(STRANGE),
            }
        return {**content, key: _changed(content[key], rng)}
    if isinstance(content, list) and content and rng.random() < 0.9:
        place = rng.randrange(len(content))
        return [*content[:place], _changed(content[place], rng), *content[place + 1 :]]
    return rng.choice(STRANGE)


def requests(seed: int) -> Iterator[bytes]:
    """An endless row of requests, as bytes on the wire."""
    rng = random.Random(seed)
    while True:
        body = bodies(rng)
        lines = [
            f"{rng.choice(('POST',) * 6 + ('GET', 'PUT', 'HEAD'))} {rng.choice(PATHS)} HTTP/1.1",
            "Host: localhost",
        ]
        lines += [header for header in HEADERS if rng.random() < 0.05]
        length = len(body) if rng.random() < 0.97 else rng.choice((0, len(body) // 2))
        lines += [f"Content-Length: {length}", "Connection: close"]
        yield "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answers(server: Serving, count: int) -> tuple[Counter[int], list[bytes]]:
    """The status codes of that many requests, and the requests that got 500."""
    codes, wrong = Counter[int](), []
    for _, request in zip(range(count), requests(SEED), strict=False):
        found = _ask(server, request)
        code = int(found.split(b" ", 2)[1]) if found else 0
        codes[code] += 1
        if code >= 500 and code not in (501, 503, 504):
            wrong.append(request)
    return codes, wrong


def _ask(server: Serving, request: bytes) -> bytes:
    host, port = server.bound.http.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
        client.sendall(request)
        found = b""
        while part := client.recv(1 << 16):
            found += part
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving(embedded()) as server:
        register(server, "gru")
        create_background(server, BY_NAME["gru"])
        yield server


def test_a_few_hundred_requests_never_get_500(server: Serving) -> None:
    codes, wrong = answers(server, 400)
    assert not wrong, wrong[0]
    assert codes[400] > 100
    assert codes[200] > 10


@pytest.mark.slow
def test_thousands_of_requests_never_get_500(server: Serving) -> None:
    codes, wrong = answers(server, 5_500)
    assert not wrong, wrong[0]
    assert codes[400] > 1_000


UTF_16_32: dict[str, Callable[[str], bytes]] = {
    name: lambda text, name=name: text.encode(name)  # type: ignore[misc]
    for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
}


@pytest.mark.parametrize("name", UTF_16_32)
@pytest.mark.parametrize("path", ["/v1/models/gru:explain", "/v2/models/gru/infer"])
def test_bodies_must_be_utf_8(server: Serving, path: str, name: str) -> None:
    """Another encoding is refused, even where it could be guessed."""
    found = post(server, path, UTF_16_32[name](json.dumps(RIGHT)))
    assert (found.status_code, found.json()["reason"]) == (400, "BODY_MALFORMED")


@pytest.mark.parametrize("raw", [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xff", b"\xc0\x80"])
def test_half_a_surrogate_is_refused(server: Serving, raw: bytes) -> None:
    """Written as bytes, as it was refused before when written as an escape; the message names the byte."""
    body = b'{"instances": [], "parameters": {"caller_id": "' + raw + b'"}}'
    found = post(server, "/v1/models/gru:explain", body)
    assert (found.status_code, found.json()["reason"]) == (400, "BODY_MALFORMED")
    assert f"byte {body.index(raw)} is 0x{raw[0]:02x}" in found.json()["error"]
