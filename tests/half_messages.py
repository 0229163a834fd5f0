"""Sends the beginning of a gRPC call and no more: HTTP/2 by hand, since every library completes what it begins."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from types import TracebackType
from typing import Self

from serving import Serving
from waiting import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_HEADERS, END_STREAM, ACK = 4, 1, 1
FRAME_BYTES = 16_384
FIRST_WINDOW = 65_535


class HalfCall:
    """A call on a connection of its own, of which as much is sent as the server's flow control allows."""

    def __init__(self, server: Serving, method: str, announced: int, timeout: str = "") -> None:
        host, port = server.bound.grpc.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self._received = b""
        self._connection_window = self._stream_window = FIRST_WINDOW
        self.sent = 0
        self.ended = False
        self.headers = b""
        self._left = announced + 5
        self._begin(method, announced, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, size: int, seconds: float = PATIENCE) -> int:
        """Sends up to `size` bytes of the message, but never its last one. Returns how many went out in this time."""
        end, wanted = time.monotonic() + seconds, min(self.sent + size, self._left - 1)
        while self.sent < wanted and not self.ended and time.monotonic() < end:
            room = min(self._connection_window, self._stream_window, FRAME_BYTES, wanted - self.sent)
            if room <= 0:
                self._read(0.05)
                continue
            self._frame(DATA, 0, 1, bytes(room))
            self.sent += room
            self._connection_window -= room
            self._stream_window -= room
        return self.sent

    def wait_ended(self, seconds: float = PATIENCE) -> bytes:
        """Waits until the server has ended the call, and returns what its headers hold."""
        end = time.monotonic() + seconds
        while not self.ended and time.monotonic() < end:
            self._read(0.05)
        assert self.ended, "the server did not end the call"
        return self.headers

    def _begin(self, method: str, announced: int, timeout: str) -> None:
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": method,
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
            **({"grpc-timeout": timeout} if timeout else {}),
        }
        self._socket.sendall(PREFACE)
        self._frame(SETTINGS, 0, 0, b"")
        block = b"".join(b"\0" + _literal(name) + _literal(value) for name, value in headers.items())
        self._frame(HEADERS, END_HEADERS, 1, block)
        prefix = b"\0" + struct.pack(">I", announced)
        self._frame(DATA, 0, 1, prefix)
        self.sent = len(prefix)
        self._connection_window -= len(prefix)
        self._stream_window -= len(prefix)

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            header = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
            self._socket.sendall(header + payload)

    def _read(self, seconds: float) -> None:
        # The socket keeps its own time limit, which is that of what is sent.
        if not select.select([self._socket], [], [], seconds)[0]:
            return
        try:
            part = self._socket.recv(1 << 16)
        except ConnectionError:
            part = b""
        if not part:
            self.ended = True
            return
        self._received += part
        while len(self._received) >= 9:
            length = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + length:
                return
            kind, flags = self._received[3], self._received[4]
            stream = int.from_bytes(self._received[5:9], "big")
            payload, self._received = self._received[9 : 9 + length], self._received[9 + length :]
            self._take(kind, flags, stream, payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            size = int.from_bytes(payload, "big")
            if stream:
                self._stream_window += size
            else:
                self._connection_window += size
        elif kind == SETTINGS and not flags & ACK:
            self._apply(payload)
            self._frame(SETTINGS, ACK, 0, b"")
        elif kind == PING and not flags & ACK:
            self._frame(PING, ACK, 0, payload)
        elif kind == HEADERS:
            self.headers += payload
            self.ended |= bool(flags & END_STREAM)
        elif kind in (RST_STREAM, GOAWAY):
            self.ended = True

    def _apply(self, settings: bytes) -> None:
        for start in range(0, len(settings), 6):
            name, value = struct.unpack(">HI", settings[start : start + 6])
            if name == 4:  # SETTINGS_INITIAL_WINDOW_SIZE
                self._stream_window += value - FIRST_WINDOW


def _literal(text: str) -> bytes:
    content = text.encode()
    assert len(content) < 127
    return bytes([len(content)]) + content
