"""A request as its handler gets it, while its caller is still there; and what its JSON holds."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from starlette.requests import Request

from sequela.api.rest.responses import COMPRESSED, FROM_PAGE
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled, Forbidden, InvalidInput, Unsupported

T = TypeVar("T")

DEADLINES = ("x-request-timeout-ms", "x-envoy-expected-rq-timeout-ms")
"""Headers with the milliseconds that are left: the caller's own, and Envoy's, which gateways set by themselves."""
BINARY = "inference-header-content-length"
ENCODING = "content-encoding"
PAGE = "origin"
"""Browsers send it with every POST, and with what pages of other servers ask for."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a handler answers: names in the path, the body, and the time there is."""

    names: Mapping[str, str]
    body: bytearray = field(repr=False)
    deadline: Deadline

    @property
    def model(self) -> tuple[str, str]:
        """Name and version, the latter often empty."""
        return self.names["name"], self.names.get("version", "")


def allowed(request: Request) -> float | None:
    """Seconds that the caller gives; None where it sets no deadline. Raises InvalidInput."""
    given = {name: request.headers[name] for name in DEADLINES if name in request.headers}
    return min((_seconds(name, text) for name, text in given.items()), default=None)


def check_headers(request: Request) -> None:
    """Raises Forbidden for what a web page sends, Unsupported for tensors in binary form, InvalidInput for a body that
    is compressed.
    """
    if PAGE in request.headers:
        # By a foreign form, or by a name that leads here, any page could else explain to whoever made it.
        text = "the header Origin says that a web page sends this, and web pages are not answered"
        raise Forbidden(FROM_PAGE, text)
    if BINARY in request.headers:
        text = "tensors in binary form are not taken by REST; send JSON, or use gRPC"
        raise Unsupported("BINARY_TENSORS_UNSUPPORTED", text)
    encoding = request.headers.get(ENCODING, "identity").strip().lower()
    if encoding not in ("", "identity"):
        text = f"the body is compressed (Content-Encoding: {encoding[:40]}); send it as it is, or use gRPC with gzip"
        raise InvalidInput(COMPRESSED, text)


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; it is cancelled when the caller leaves, whose body has been read. Raises Cancelled."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise gone()
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def gone() -> Cancelled:
    """What is raised where nobody waits for an answer any more."""
    return Cancelled("CANCELLED", "the caller has left")


def parsed(body: bytearray, known: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object with no other keys than these. Raises InvalidInput."""
    try:
        found = json.loads(
            body, parse_constant=_no_number, parse_float=_float, parse_int=_int, object_pairs_hook=_object
        )
        if b"\\u" in body:
            json.dumps(
                found, ensure_ascii=False
            ).encode()  # fails for half of a surrogate pair, which is no text
    except RecursionError:
        raise InvalidInput("BODY_MALFORMED", "the body is nested too deeply to be read") from None
    except ValueError as error:
        raise InvalidInput("BODY_MALFORMED", f"the body is not valid JSON: {error}") from None
    return mapping(found, "body", known)


def mapping(value: Any, path: str, known: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object with no other keys than these (none: any). Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput.at(path, "FIELD_INVALID", f"must be an object, not {kind(value)}")
    unknown = sorted(value.keys() - set(known)) if known else []
    if unknown:
        text = f"is not a field; there are {', '.join(known)}"
        raise InvalidInput.at(unknown[0][:60] or "''", "FIELD_UNKNOWN", text)
    return value


def listed(value: Any, path: str) -> list[Any]:
    """A JSON list. Raises InvalidInput."""
    if not isinstance(value, list):
        raise InvalidInput.at(path, "FIELD_INVALID", f"must be a list, not {kind(value)}")
    return value


def text(value: Any, path: str) -> str:
    """A JSON text. Raises InvalidInput."""
    if not isinstance(value, str):
        raise InvalidInput.at(path, "FIELD_INVALID", f"must be a string, not {kind(value)}")
    return value


def kind(value: Any) -> str:
    """What JSON calls it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


async def _left(request: Request) -> None:
    """Ends when the caller leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text) / 1000
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidInput.at(
            name, "OPTION_OUT_OF_RANGE", f"{text[:40]!r}, must be milliseconds, more than 0"
        )
    return seconds


def _float(digits: str) -> float:
    """What json does by itself; but in Python, so that other threads get their turn in the midst of long lists."""
    return float(digits)


def _int(digits: str) -> int:
    """Likewise."""
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key given twice, json would keep the last value without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated[:60]!r} is given twice in one object")
    return found


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON (null stands for a missing value)")
