"""What strangers and broken programs send: no answer is a 500, none takes for ever, and every refusal says why."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest
from console.cohort_files import write_cohort
from console.filled_serving import filled_serving
from console.running_console import running_console
from sequela_console import api_endpoint
from sequela_console.api_route import ApiRoute
from sequela_console.app import API_ROUTES
from sequela_console.http import bounded_protocol
from sequela_console.server import ConsoleServer
from waiting import eventually

PATIENCE_SECONDS = 60.0
ROUNDS = 12
"""Random requests to each route."""

WORDS = """
q from to since min_score max_score model label verdict feature sort order cursor limit target redact
variant variants spec other by background kind edits threshold max_rows options previous note reason path
state as pair levels weights steps class t low high value rows start end key attributes from to events
feature bins etas name token weight selector
"""
NAMES = WORDS.split()
"""Names of parameters and fields, of all routes."""

TEXTS = (
    *(
        "",
        "0",
        "-1",
        "1e999",
        "nan",
        "inf",
        "9" * 40,
        "0x10",
        "true",
        "null",
        "[]",
        "{}",
        "all",
        "fraud",
        "events",
    ),
    *(
        "created",
        "desc",
        "read",
        "grid_cell",
        "edge",
        "attribution",
        "label",
        "group",
        "rows",
        "\x00",
        "\x1b[31m",
    ),
    *(
        "../../etc/passwd",
        "..%2f..%2f",
        "'; DROP TABLE alert; --",
        '"',
        "%",
        "_",
        "\\",
        "a" * 5000,
        "=cmd|' /C x'!A0",
    ),
    *(
        "<script>alert(1)</script>",
        "\u202e",
        "\ud83d\ude00",
        "𝔘",
        "é",
        "\r\nSet-Cookie: x=y",
        "2026-13-45",
        "1:2",
    ),
    *(
        "//evil.example",
        "/alerts",
        "models/x",
        "7d",
        "amount",
        "country",
        "1",
        "200",
        "t",
        "x=y",
        "2026-01-01",
    ),
)
HOSTILE_PATHS = (
    "..",
    "%2e%2e",
    "%00",
    "a%2fb",
    "%ff%fe",
    "%ED%A0%80",
    "a" * 4000,
    "%0d%0aX:y",
    "'",
    "*",
    "%3Cb%3E",
)
SOME_POSTS = {
    "/api/alerts/{id}/labels",
    "/api/alerts/{id}/score",
    "/api/cohorts/{cohort}/members",
    "/api/links",
}
"""Paths of requests with a body in the fast run; the others are for the slow one."""
DEEP = 900
"""Levels of nesting: below Python's own limit, above that of most who go through an object step by step."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    """A console with some alerts and a cohort."""
    folder = tmp_path_factory.mktemp("hostile")
    cohorts = {"shop": write_cohort(folder / "shop", count=12)}
    with filled_serving((3, 5)) as service, running_console(service, folder, cohorts=cohorts) as server:
        eventually(lambda: server.console.index.state().complete)
        yield server


@pytest.fixture(scope="module")
def console(running: ConsoleServer) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=running.url, timeout=PATIENCE_SECONDS) as client:
        yield client


def value(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value: mostly the kinds that break programs."""
    kind = rng.randrange(9 if depth < 4 else 6)
    match kind:
        case 0:
            return rng.choice((None, True, False))
        case 1:
            return rng.choice((0, 1, -1, 2**31, 2**53, 2**63, -(2**64), 10**300, 0.5, 1e308, -1e-320))
        case 2 | 3 | 4 | 5:
            return rng.choice(TEXTS)
        case 6:
            return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
        case _:
            return {rng.choice(NAMES): value(rng, depth + 1) for _ in range(rng.randrange(6))}


def path_of(rng: random.Random, route: ApiRoute, known: str) -> str:
    """A path of a route, with usual parts so often that requests get beyond the path."""
    usual = {"id": known, "cohort": "shop", "figure": "events", "of": "events", "row": "1"}
    figures = (
        "events",
        "features",
        "pruning",
        "fairness",
        "drift",
        "quality",
        "comparison",
        "first-positive",
    )
    if rng.random() < 0.7:
        return route.path.format(**{**usual, "figure": rng.choice(figures)})
    return route.path.format(
        **dict.fromkeys(
            usual, rng.choice((*HOSTILE_PATHS, "x", quote(rng.choice(TEXTS), "", errors="surrogatepass")))
        )
    )


def known_alert(console: httpx.Client) -> str:
    return str(console.get("/api/alerts").json()["alerts"][0]["id"])


def check(answer: httpx.Response, what: object) -> None:
    """An answer is a success, or a refusal that says what is wrong."""
    assert answer.status_code < 500, (what, answer.text[:500])
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert error["message"], what
        assert error["reason"].replace("_", "").isupper(), what


@pytest.mark.slow
@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_random_requests_are_answered_or_refused(console: httpx.Client, route: ApiRoute) -> None:
    rng, known = random.Random(f"{route.method} {route.path}"), known_alert(console)
    for _ in range(ROUNDS):
        path = path_of(rng, route, known)
        query = urlencode(
            [
                (rng.choice(NAMES), rng.choice((*TEXTS, json.dumps(value(rng)))))
                for _ in range(rng.randrange(5))
            ],
            errors="surrogatepass",
        )
        body = json.dumps({rng.choice(NAMES): value(rng) for _ in range(rng.randrange(8))}).encode()
        headers = {"Content-Type": "application/json"}
        content = None if route.method == "GET" else body
        answer = console.request(route.method, f"{path}?{query}", content=content, headers=headers)
        check(answer, (route.method, path, query, content))


BODIES = (
    b'{"a": ' * DEEP + b"1" + b"}" * DEEP,
    b'{"edits": ' + b"[" * DEEP + b"]" * DEEP + b', "state": {}}',
    b"[" * 500_000,
    b'{"state": ' + b"9" * 100_000 + b"}",
    b'{"threshold": 1e999, "path": "/alerts"}',
    b'{"threshold": NaN}',
    b'{"verdict": "fraud", "verdict": "false_positive"}',
    b'{"note": "\\ud800", "verdict": "note", "path": "/\\ud800", "state": "\\udfff"}',
    b'{"note": "\xed\xa0\x80", "verdict": "note"}',
    '{"verdict": "note", "note": "x"}'.encode("utf-16"),
    b'{"note": "\\u0000", "verdict": "note", "path": "/\\u0000"}',
    b'"text"',
    b"null",
    b"\xff\xfe",
)


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(each, marks=() if each.path in SOME_POSTS else pytest.mark.slow)
        for each in API_ROUTES
        if each.method == "POST"
    ],
    ids=lambda each: each.path,
)
def test_bodies_that_break_readers_of_json(console: httpx.Client, route: ApiRoute) -> None:
    path = route.path.format(id=known_alert(console), cohort="shop")
    for body in BODIES:
        answer = console.post(path, content=body, headers={"Content-Type": "application/json"})
        check(answer, (path, body[:100]))


@pytest.mark.parametrize(
    "path",
    [
        *(f"/assets/{each}" for each in HOSTILE_PATHS),
        *("/assets/..%2findex.html", "/assets/%2e%2e/index.html", "/assets//etc/passwd", "/assets/"),
        *(
            "/api",
            "/api/",
            "/api/../healthz",
            "/api/alerts/../../x",
            "//evil.example/api/alerts",
            "/api//alerts",
        ),
    ],
)
def test_paths_that_leave_their_folder(console: httpx.Client, path: str) -> None:
    status, text = raw(
        console, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    assert status in (200, 400, 404), text
    assert "root:" not in text
    # Unknown pages are the application, which says so itself; what is below /assets is never a page.
    assert status != 200 or not path.startswith("/assets")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /api/alerts HTTP/1.1\r\n\r\n",
        b"GET /api/alerts HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/links HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/links HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"GET /api/alerts HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\rb\r\n\r\n",
        b"GET /api/alerts HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
    ],
)
def test_requests_that_are_not_http(console: httpx.Client, request_bytes: bytes) -> None:
    status, text = raw(console, request_bytes)
    assert status in (0, 400, 403, 413, 414, 431), text


def raw(console: httpx.Client, content: bytes) -> tuple[int, str]:
    """Sends bytes as they are; returns status and text of the answer, 0 if the connection was closed."""
    address = urlsplit(str(console.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(content)
            answer = connection.recv(65536)
        except ConnectionError:
            return 0, ""
    return int(answer.split(b" ")[1]) if answer else 0, answer.decode("latin-1")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/alerts"),
        ("POST", "/api/links"),
        *(pytest.param("GET", each, marks=pytest.mark.slow) for each in ("/api/session", "/x")),
    ],
)
@pytest.mark.parametrize(
    "name", ["Origin", "Host", "Authorization", "Cookie", "Sec-Fetch-Site", "Content-Type"]
)
def test_headers_that_are_no_such(console: httpx.Client, name: str, method: str, path: str) -> None:
    """Whatever stands in a header that the console reads is refused or ignored."""
    for text in (
        "http://[",
        "[",
        "[::1",
        "://",
        "http://a@b:c",
        "\xff",
        "Bearer",
        "Bearer \xff",
        "Embed a.b",
        "=;=",
        "@:0",
    ):
        headers = {"Content-Type": "application/json", name: text.encode("latin-1")}
        content = b"{}" if method == "POST" else None
        answer = console.request(method, path, content=content, headers=headers)
        assert answer.status_code < 500, (name, text, answer.text)
        assert answer.headers["x-request-id"]


def test_a_request_id_cannot_carry_anything_else(console: httpx.Client) -> None:
    given = console.get("/healthz", headers={"X-Request-Id": "case-tool.17"})
    assert given.headers["x-request-id"] == "case-tool.17"
    for wrong in ("a b", "a" * 200, "<b>", "é"):
        answer = console.get("/healthz", headers={"X-Request-Id": wrong.encode()})
        assert answer.headers["x-request-id"] != wrong


def test_short_links_lead_nowhere_else(console: httpx.Client) -> None:
    for path in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\\\\evil",
        "",
    ):
        answer = console.post("/api/links", json={"path": path, "state": ""})
        assert answer.status_code == 400, path
        assert answer.json()["error"]["field"] == "path"
    assert console.get("/s/unknown", follow_redirects=False).status_code == 200


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"", marks=pytest.mark.slow),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\n",
        b"POST /api/links HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
    ],
)
def test_a_slow_sender_does_not_keep_its_connection(
    running: ConsoleServer, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither half a head nor half a body holds a place for ever, nor does a connection after its answer."""
    # The head of a whole one must not be late, however long this thread has to wait before it can send it.
    has_head = start.startswith(b"POST")
    monkeypatch.setattr(bounded_protocol, "HEAD_SECONDS", PATIENCE_SECONDS if has_head else 0.5)
    monkeypatch.setattr(api_endpoint, "MAX_BODY_SECONDS", 0.5)
    monkeypatch.setattr(running.server.config, "timeout_keep_alive", 0.5)
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(start)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert (b"BODY_TOO_SLOW" in received) == has_head
