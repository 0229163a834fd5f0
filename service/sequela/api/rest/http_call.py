"""An HTTP request as passed to its handler, and the checks of its headers."""

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
"""Headers with the timeout in milliseconds: the caller's own, and Envoy's, which gateways add."""
BINARY_HEADER = "inference-header-content-length"
ENCODING_HEADER = "content-encoding"
ORIGIN_HEADER = "origin"
"""Browsers send this header with every POST, and with every request of a page from another origin."""


@dataclass(frozen=True, slots=True, eq=False)
class HttpCall:
    """A request for a handler: the names in the path, the body, and the deadline."""

    names: Mapping[str, str]
    body: bytearray = field(repr=False)
    deadline: Deadline

    @property
    def model_name(self) -> str:
        """The model's name in the path."""
        return self.names["name"]

    @property
    def model(self) -> ModelChoice:
        """The model in the path. Raises InvalidInput."""
        return model_choice(self.names["name"], self.names.get("version", ""), "name")


def timeout_seconds(request: Request) -> float | None:
    """Returns the caller's timeout in seconds, or None if it does not set one. Raises InvalidInput."""
    given = {name: request.headers[name] for name in TIMEOUT_HEADERS if name in request.headers}
    # The caller's timeout and the gateway's both apply.
    return min((_seconds(name, text) for name, text in given.items()), default=None)


def check_headers(request: Request) -> None:
    """Checks the headers that describe the caller and the body.

    Raises:
        Forbidden: The request comes from a web page.
        Unsupported: Tensors are sent in binary form.
        InvalidInput: The body is compressed.
    """
    if ORIGIN_HEADER in request.headers:
        # Otherwise any web page could use the models, with a form or with a host name that resolves to this server.
        text = "requests from web pages are not allowed (the request has an Origin header)"
        raise Forbidden(WEB_PAGE_REFUSED, text)
    if BINARY_HEADER in request.headers:
        text = "tensors in binary form are not accepted over REST; send JSON, or use gRPC"
        raise Unsupported("BINARY_TENSORS_UNSUPPORTED", text)
    encoding = request.headers.get(ENCODING_HEADER, "identity").strip().lower()
    if encoding not in ("", "identity"):
        text = (
            f"the body is compressed (Content-Encoding: {encoding[:40]}); send it uncompressed, or use gRPC "
            "with gzip"
        )
        raise InvalidInput(BODY_COMPRESSED, text)


async def run_while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of work. Raises Cancelled if the caller, whose body has been read, disconnects first."""
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
        # Both must have ended before the request and its body are released.
        await asyncio.gather(running, leaving, return_exceptions=True)


def caller_left() -> Cancelled:
    """Returns the error for a request whose caller has disconnected."""
    return Cancelled("CANCELLED", "the caller has disconnected")


async def _wait_disconnected(request: Request) -> None:
    # Once the body has been read, a disconnect is the only message that can follow.
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text) / 1000
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidInput.at(
            name,
            "OPTION_OUT_OF_RANGE",
            f"must be a number of milliseconds above 0, not {text[:40]!r}",
        )
    return seconds
