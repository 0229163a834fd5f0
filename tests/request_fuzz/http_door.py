"""Cases for the routes of HTTP, which are those of the application's own table, and how answers are judged."""

from __future__ import annotations

import json
import random
import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from serving import Serving, embedded
from waiting import PATIENCE

from request_fuzz.case import NO_ANSWER, Case, HttpCase
from request_fuzz.http_bodies import body
from request_fuzz.http_seeds import bodies
from request_fuzz.rpc_door import MORE_TURNS, pieces_left_out

WITH_A_REASON = (501, 503, 504)
"""Codes of 500 and above that may be right, if they say why."""
NAMES = (
    "gru",
    "gru",
    "gru",
    "gru",
    "nobody",
    "%ff%fe",
    "%ED%A0%80",
    "a%2Fb",
    "%00",
    "..",
    "x" * 300,
    "%",
    "gru:explain",
)
VERSIONS = ("1", "1", "0", "-1", "9" * 30, "%31", "latest", "")
QUERIES = ("", "", "", "", "?", "?caller=%ff", "?" + "a" * 3_000, "?a=1&a=2#x")
VERBS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "XYZ", "")
TARGETS = (
    "*",
    "//",
    "/..",
    "http://localhost/v1/models",
    "localhost:80",
    "/\xff",
    "/" + "y" * 9_000,
    "",
    "/%",
    "/a b",
)
HEADERS = (
    "X-Request-Timeout-Ms: 99999999999999999999999999999999999",
    "X-Request-Timeout-Ms: 1e400",
    "X-Request-Timeout-Ms: 1e-320",
    "X-Request-Timeout-Ms: 1",
    "X-Request-Timeout-Ms: nan",
    "X-Request-Timeout-Ms: \xb2",
    "X-Request-Timeout-Ms: 5\r\nX-Request-Timeout-Ms: -5",
    "X-Envoy-Expected-Rq-Timeout-Ms: 1_000",
    "X-Request-Id: \xff\xfe",
    "X-Request-Id: " + "a" * 5_000,
    "Content-Type: application/json; charset=utf-16",
    "Content-Type: application/x-protobuf",
    "Content-Type: \xff/\xfe; boundary=",
    "Content-Encoding: \xe9",
    "Content-Encoding: gzip",
    "Content-Encoding: identity, gzip, " + "br," * 300,
    "Accept: \xff",
    "Accept: application/openmetrics-text; version=99.0.0; q=nan",
    "Accept: " + "*/*;q=0.1," * 500,
    "Accept-Encoding: gzip;q=1e999, \xff",
    "Inference-Header-Content-Length: -1",
    "Expect: 100-continue",
    "Expect: the worst",
    "Origin: null",
    "Authorization: Bearer \xff\xff",
    "Authorization: Basic " + "=" * 3_000,
    "Host: \xff",
    "Host: a, b",
    "Host: [::1",
    "Host: " + "h" * 3_000,
    "Host: evil.example\r\nHost: localhost",
    "Traceparent: 00-" + "f" * 32 + "-" + "f" * 16 + "-ff",
    "Traceparent: \xff",
    "Upgrade: websocket\r\nConnection: Upgrade",
    "Upgrade: h2c\r\nHTTP2-Settings: AAAA",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Forwarded: for=\xff",
    "X-Forwarded-For: " + "1," * 2_000,
    "Cookie: " + "c=1;" * 1_500,
    "Range: bytes=0-0,-1",
    " leading: x",
    "no colon",
    ": no name",
    "Bad\x00Name: x",
    "Fold: a\r\n b",
    "Huge: " + "x" * 70_000,
    "\r\n".join(f"H{number}: x" for number in range(500)),
)
LENGTHS = (
    "-1",
    "+5",
    "0x10",
    "1e3",
    "\xb2",
    "",
    " ",
    "99999999999999999999",
    "5, 5",
    "5\r\nContent-Length: 6",
)
VERSION_LINES = ("HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9", "ICY", "")
CONTINUE = re.compile(rb"\AHTTP/1\.1 100[^\r]*\r\n(?:[^\r\n]+\r\n)*\r\n")
"""What comes before the answer, if the request expects it."""
REASON_PAGES = ("/readyz",)
"""Pages that give their reason as plain text."""


def routes() -> list[tuple[str, str]]:
    """Returns verb and path of each route, from the table of the application's router."""
    with Serving(embedded(), wait=False) as server:
        table: Any = server.wired.server._http.config.app.routes
        return sorted((verb, each.path) for each in table for verb in each.methods - {"HEAD"})


class HttpDoor:
    """Makes cases for all routes in turn, and sends them."""

    def __init__(self, address: str, table: Iterable[tuple[str, str]]) -> None:
        host, port = address.rsplit(":", 1)
        self._address = (host, int(port))
        self.routes = list(table)
        with_body = [(verb, path) for verb, path in self.routes if verb == "POST"]
        self._turns = [*self.routes, *with_body * MORE_TURNS]

    def case(self, number: int, seed: int) -> Case:
        """Returns one case; the same number and seed make the same one."""
        rng = random.Random(f"http {seed} {number}")
        verb, route = self._turns[number % len(self._turns)]
        content = body(rng.choice(bodies(verb, route)), rng)
        request, whole = _request(verb, _path(route, rng), content, rng)
        return HttpCase(f"{verb} {route}", request, whole)

    def ask(self, case: Case) -> tuple[str, str]:
        """Sends a case. Returns how it ended, and what is wrong with that, or nothing."""
        assert isinstance(case, HttpCase)
        try:
            found = self._send(case)
        except TimeoutError:
            return "hang", NO_ANSWER
        except OSError:
            # The server refused the head and did not read the rest.
            return "reset", ""
        return _verdict(case, found)

    def _send(self, case: HttpCase) -> bytes:
        with socket.create_connection(self._address, timeout=PATIENCE) as client:
            client.sendall(case.request)
            if not case.whole:
                client.shutdown(socket.SHUT_WR)
            found = b""
            while part := client.recv(1 << 16):
                found += part
            return found

    def smaller(self, case: Case) -> Iterator[Case]:
        """Yields cases with less in them: without a header, or without a part of the body."""
        assert isinstance(case, HttpCase)
        head, separator, content = case.request.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        for at in range(1, len(lines)):
            yield replace(case, request=b"\r\n".join(lines[:at] + lines[at + 1 :]) + separator + content)
        for less in pieces_left_out(content):
            measured = re.sub(rb"(?i)(content-length: )\d+", rb"\g<1>%d" % len(less), head)
            yield replace(case, request=measured + separator + less)

    def close(self) -> None:
        """Does nothing: each case has a connection of its own."""


def _path(route: str, rng: random.Random) -> str:
    if rng.random() < 0.04:
        return rng.choice(TARGETS)
    path = route.replace("{name}", rng.choice(NAMES)).replace("{version}", rng.choice(VERSIONS))
    return path + rng.choice(QUERIES)


def _request(verb: str, path: str, content: bytes, rng: random.Random) -> tuple[bytes, bool]:
    verb = rng.choice(VERBS) if rng.random() < 0.06 else verb
    protocol = rng.choice(VERSION_LINES) if rng.random() < 0.1 else "HTTP/1.1"
    lines = [f"{verb} {path} {protocol}".rstrip() if rng.random() < 0.98 else "\x00\x01", "Connection: close"]
    if rng.random() < 0.95:
        lines.append("Host: localhost")
    lines += rng.sample(HEADERS, rng.choice((0, 0, 0, 0, 0, 1, 1, 2, 4)))
    framed, whole = _framed(content, rng)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n" + framed, whole and len(lines[0]) > 2


def _framed(content: bytes, rng: random.Random) -> tuple[bytes, bool]:
    """Returns the headers of the length, and the body; and whether they fit."""
    what = rng.random()
    if what < 0.82:
        return b"Content-Length: %d\r\n\r\n" % len(content) + content, True
    if what < 0.88:
        said = rng.choice((0, len(content) // 2, len(content) + 7, 2**31, 2**63))
        return b"Content-Length: %d\r\n\r\n" % said + content, False
    if what < 0.92:
        return b"Content-Length: " + rng.choice(LENGTHS).encode("latin-1") + b"\r\n\r\n" + content, False
    if what < 0.96:
        sizes = rng.choice((b"%x" % len(content), b"ffffffffffffffffff", b"-1", b"zz", b"5;a=\xff"))
        ended = rng.choice((b"\r\n0\r\n\r\n", b"\r\n0\r\nTrailer: \xff\r\n\r\n", b""))
        return b"Transfer-Encoding: chunked\r\n\r\n" + sizes + b"\r\n" + content + ended, False
    both = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(content)
    return rng.choice((both + content, content, b"")), False


def _verdict(case: HttpCase, found: bytes) -> tuple[str, str]:
    found = CONTINUE.sub(b"", found)
    if not found:
        return "closed", "closed without an answer" if case.whole else ""
    status = re.match(rb"HTTP/1\.[01] (\d{3})", found)
    if not status:
        return "no status line", f"the answer begins with {found[:40]!r}"
    code = int(status[1])
    if code < 500:
        return str(code), ""
    if code not in WITH_A_REASON:
        return str(code), f"{code}: {found[-200:]!r}"
    reason = _reason(found)
    named = reason or any(page in case.route for page in REASON_PAGES) or case.request.startswith(b"HEAD ")
    return f"{code} {reason}", "" if named else f"{code} without a reason"


def _reason(found: bytes) -> str:
    try:
        return str(json.loads(found.partition(b"\r\n\r\n")[2]).get("reason", ""))
    except (ValueError, AttributeError):
        return ""
