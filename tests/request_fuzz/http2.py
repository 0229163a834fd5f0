"""A call of gRPC in frames of HTTP/2 that are made here, since libraries refuse to send absurd headers."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Iterable

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACKNOWLEDGED = 1, 4, 1
ENDS = {GOAWAY: "goaway", RESET: "reset"}
STATUS = re.compile(rb"grpc-status[\x01\x02]([0-9]{1,2})", re.DOTALL)
MESSAGE = re.compile(rb"grpc-message(?:\x7f[\x80-\xff]*[\x00-\x7f]|[\x00-\x7e])([ -~]*)", re.DOTALL)


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """Returns a frame."""
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def header_block(headers: Iterable[tuple[str, str]]) -> bytes:
    """Returns headers as literals, without any table."""
    return b"".join(
        b"\x00" + _literal(name.encode("latin-1")) + _literal(value.encode("latin-1"))
        for name, value in headers
    )


def _literal(content: bytes) -> bytes:
    if len(content) < 127:
        return bytes((len(content),)) + content
    rest, out = len(content) - 127, b"\x7f"
    while rest > 127:
        out, rest = out + bytes((rest & 127 | 128,)), rest >> 7
    return out + bytes((rest,)) + content


def call_headers(path: str) -> list[tuple[str, str]]:
    """Returns the headers that any call of a path needs."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]


def ask(
    address: str, headers: Iterable[tuple[str, str]], body: bytes, seconds: float, answers: int = 64
) -> str:
    """Sends one call and returns its status: a number and a message, or `reset`, `goaway`, `closed`, or `no status`.

    After a number of answers it closes the connection and returns `open`, because a stream may have no end. Raises
    TimeoutError if the call has not ended within `seconds`.
    """
    host, port = address.rsplit(":", 1)
    request = frame(HEADERS, END_HEADERS, 1, header_block(headers)) + frame(DATA, END_STREAM, 1, body)
    with socket.create_connection((host, int(port)), timeout=seconds) as client:
        try:
            client.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + request)
            return _answer(client, time.monotonic() + seconds, answers)
        except (ConnectionResetError, BrokenPipeError):
            return "closed"


def _answer(client: socket.socket, end: float, answers: int) -> str:
    found = b""
    while True:
        # Pings arrive on a connection whose call hangs, too.
        client.settimeout(max(end - time.monotonic(), 0.001))
        head = _read(client, 9)
        if len(head) < 9:
            return "closed"
        length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
        content = _read(client, length)
        if kind == SETTINGS and not flags & ACKNOWLEDGED:
            client.sendall(frame(SETTINGS, ACKNOWLEDGED, 0, b""))
        elif kind == PING and not flags & ACKNOWLEDGED:
            client.sendall(frame(PING, ACKNOWLEDGED, 0, content))
        elif kind in ENDS:
            return ENDS[kind]
        elif kind == HEADERS:
            found += content
        elif kind == DATA:
            answers -= 1
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            return _status(found)
        if not answers:
            return "open"


def _status(found: bytes) -> str:
    status, message = STATUS.search(found), MESSAGE.search(found)
    text = message[1].decode() if message else ""
    return f"{status[1].decode()} {text}".rstrip() if status else "no status"


def _read(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (part := client.recv(count - len(found))):
        found += part
    return found
