"""A request over HTTP as its handler gets it, and what is read of its headers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request

from sequela.api.errors import BODY_COMPRESSED, WEB_PAGE_REFUSED
from sequela.api.inference.model_choice import model_choice
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled, Forbidden, InvalidInput, Unsupported
from sequela.explain.request import ModelChoice

T = TypeVar("T")

TIMEOUT_HEADERS = ("x-request-timeout-ms", "x-envoy-expected-rq-timeout-ms")
"""Headers with the milliseconds that are left: the caller's own, and Envoy's, which gateways set by themselves."""
BINARY_HEADER = "inference-header-content-length"
ENCODING_HEADER = "content-encoding"
ORIGIN_HEADER = "origin"
"""Browsers send it with every POST, and with everything that pages of other servers ask for."""


@dataclass(frozen=True, slots=True, eq=False)
class HttpCall:
    """What a handler answers: the names in the path, the body, and the deadline."""

    names: Mapping[str, str]
    body: bytearray = field(repr=False)
    deadline: Deadline

    @property
    def model_name(self) -> str:
        """The model's name in the path."""
        return self.names["name"]

    @property
    def model(self) -> ModelChoice:
        """The model of the path. Raises InvalidInput."""
        return model_choice(self.names["name"], self.names.get("version", ""), "name")


def timeout_seconds(request: Request) -> float | None:
    """Seconds that the caller allows; None where it sets no deadline. Raises InvalidInput."""
    given = {name: request.headers[name] for name in TIMEOUT_HEADERS if name in request.headers}
    return min((_seconds(name, text) for name, text in given.items()), default=None)


def check_headers(request: Request) -> None:
    """Checks what headers say of the caller and of the body.

    Raises Forbidden for requests of web pages, Unsupported for tensors in binary form, InvalidInput for a compressed
    body.
    """
    if ORIGIN_HEADER in request.headers:
        # By a form on another site, or a name that resolves to this server, any page could otherwise use its models.
        text = "the header Origin says that a web page sends this, and web pages are not answered"
        raise Forbidden(WEB_PAGE_REFUSED, text)
    if BINARY_HEADER in request.headers:
        text = "tensors in binary form are not accepted over REST; send JSON, or use gRPC"
        raise Unsupported("BINARY_TENSORS_UNSUPPORTED", text)
    encoding = request.headers.get(ENCODING_HEADER, "identity").strip().lower()
    if encoding not in ("", "identity"):
        text = f"the body is compressed (Content-Encoding: {encoding[:40]}); send it as it is, or use gRPC with gzip"
        raise InvalidInput(BODY_COMPRESSED, text)


async def run_while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of work for a caller whose body has been read. Raises Cancelled when the caller leaves first."""
    running = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_wait_disconnected(request))
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise caller_left()
        return running.result()
    finally:
        running.cancel()
        leaving.cancel()
        await asyncio.gather(running, leaving, return_exceptions=True)


def caller_left() -> Cancelled:
    """The error of a request that nobody waits for any more."""
    return Cancelled("CANCELLED", "the caller has left")


async def _wait_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text) / 1000
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidInput.at(
            name, "OPTION_OUT_OF_RANGE", f"{text[:40]!r}, must be a number of milliseconds above 0"
        )
    return seconds
