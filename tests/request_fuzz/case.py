"""Requests as they are sent, each with a form as text in which it is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from waiting import PATIENCE

PATIENT_SECONDS = 60.0
"""The deadline of an ordinary call: far longer than any of them takes, also on a busy machine."""
NO_ANSWER = f"no answer within {PATIENCE:g} s"
LATE = "the deadline passed without an answer from the server"


@dataclass(frozen=True, slots=True)
class RpcCase:
    """A call through the library of gRPC.

    Attributes:
        method: The service and the method, such as `sequela.v1.ModelService/GetModel`.
        messages: The bytes of its messages.
        metadata: Its metadata; a key that ends in `-bin` has bytes, here as Latin-1.
        timeout_seconds: Its deadline.
    """

    method: str
    messages: tuple[bytes, ...]
    metadata: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = PATIENT_SECONDS


@dataclass(frozen=True, slots=True)
class FrameCase:
    """A call in frames of HTTP/2, with headers that no library would send.

    Attributes:
        method: The service and the method; the headers may name another path.
        headers: Names and values.
        body: What the data frame holds.
    """

    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpCase:
    """An HTTP/1.1 request, as bytes on the wire.

    Attributes:
        route: The verb and the route that it was made for.
        request: Everything that is sent.
        whole: Whether the request is as long as it says. Otherwise the connection is closed for writing, and the
            server need not answer.
    """

    route: str
    request: bytes
    whole: bool = True


Case = RpcCase | FrameCase | HttpCase


def size(case: Case) -> int:
    """Returns how many bytes a case has, roughly."""
    return len(to_text(case))


def to_text(case: Case) -> str:
    """Returns a case as JSON. Bytes are Latin-1 text; a long run of one character is written as it and its count."""
    if isinstance(case, HttpCase):
        fields: dict[str, Any] = {
            "route": case.route,
            "whole": case.whole,
            "request": _lines(case.request),
        }
    elif isinstance(case, FrameCase):
        fields = {"frames": case.method, "headers": case.headers, "body": _lines(case.body)}
    else:
        fields = {
            "method": case.method,
            "messages": [_lines(each) for each in case.messages],
            "metadata": case.metadata,
            "timeout_seconds": case.timeout_seconds,
        }
    return json.dumps(fields, indent=1) + "\n"


def from_text(text: str) -> Case:
    """Reads what `to_text` wrote."""
    fields = json.loads(text)
    if "route" in fields:
        return HttpCase(fields["route"], _bytes(fields["request"]), fields["whole"])
    if "frames" in fields:
        return FrameCase(fields["frames"], _pairs(fields["headers"]), _bytes(fields["body"]))
    return RpcCase(
        fields["method"],
        tuple(map(_bytes, fields["messages"])),
        _pairs(fields["metadata"]),
        fields["timeout_seconds"],
    )


def _pairs(found: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in found)


LONG_RUN = 64


def _lines(content: bytes) -> list[str | list[Any]]:
    """Splits bytes after each line, and replaces long runs of one character by pairs of it and its count."""
    parts: list[str | list[Any]] = []
    for character, run in groupby(content.decode("latin-1")):
        count = sum(1 for _ in run)
        if count >= LONG_RUN:
            parts.append([character, count])
        elif parts and isinstance(parts[-1], str) and not parts[-1].endswith("\n"):
            parts[-1] += character * count
        else:
            parts.append(character * count)
    return parts


def _bytes(parts: list[str | list[Any]]) -> bytes:
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts).encode("latin-1")
