"""Frames between the front and an engine: a length, a kind, and bytes.

Neither side trusts the other: lengths and kinds are checked, and nothing is ever unpickled here.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from enum import IntEnum

HEADER = struct.Struct("!IB")  # the length of the bytes, and the kind
READ_BYTES = 1 << 16  # a header, and nearly always the frame behind it
CHUNK_BYTES = 1 << 20  # memory grows with what has arrived, not with what was announced


class Kind(IntEnum):
    """The kinds of frames."""

    CONFIG = 1  # front to engine, once
    TASK = 2  # front to engine
    ANSWER = 3  # front to engine, to a question
    NO_ANSWER = 4  # front to engine: the question could not be answered, so the task must end
    READY = 5  # engine to front, once
    QUESTION = 6  # engine to front, during a task
    RESULT = 7  # engine to front
    FAILED = 8  # engine to front: an unexpected exception, as text
    OUT_OF_MEMORY = 9  # engine to front: the engine must be replaced


class FrameConnectionLost(Exception):
    """The other side closed the connection, or ended."""


class FrameInvalid(Exception):
    """The other side sent something that is not a frame, or a frame that is too long or not expected."""


class FrameTooLong(Exception):
    """The content is longer than a frame may be. Nothing was sent."""


class FrameConnection:
    """Sends and receives frames over a stream socket. One thread may receive while another sends."""

    def __init__(self, sock: socket.socket, max_bytes: int) -> None:
        self._socket = sock
        self._max_bytes = max_bytes
        self._arrived = bytearray()  # what belongs to later reads

    def send(self, kind: Kind, *parts: bytes) -> None:
        """Sends one frame with all parts.

        Raises:
            FrameTooLong: The parts are longer than a frame may be.
            FrameConnectionLost: The other side is gone.
        """
        size = sum(map(len, parts))
        if size > self._max_bytes:
            raise FrameTooLong(f"has {size:,} bytes, and at most {self._max_bytes:,} are allowed")
        try:
            # Small frames go in one call, so that the other side wakes up once.
            self._socket.sendall(HEADER.pack(size, kind) + (b"".join(parts) if size < CHUNK_BYTES else b""))
            for part in parts if size >= CHUNK_BYTES else ():
                self._socket.sendall(part)
        except OSError as error:
            raise FrameConnectionLost(str(error)) from error

    def receive(self) -> tuple[Kind, bytes]:
        """Waits for a frame, and returns its kind and its bytes.

        Raises:
            FrameInvalid: What arrived is not a frame, or is too long.
            FrameConnectionLost: The other side is gone.
        """
        size, kind = HEADER.unpack(self._read(HEADER.size))
        if size > self._max_bytes:
            raise FrameInvalid(
                f"a frame announces {size:,} bytes, and at most {self._max_bytes:,} are allowed"
            )
        try:
            return Kind(kind), self._read(size)
        except ValueError:
            raise FrameInvalid(f"a frame has the unknown kind {kind}") from None

    def close(self) -> None:
        """Closes the connection. Only for the thread that uses it."""
        self._socket.close()

    def shut_down(self) -> None:
        """Ends the waits of all threads on this connection."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self, size: int) -> bytes:
        # Takes what is there, so that a small frame needs one call: each call gives up the interpreter's lock.
        while len(self._arrived) < size:
            try:
                piece = self._socket.recv(max(READ_BYTES, min(size - len(self._arrived), CHUNK_BYTES)))
            except OSError as error:
                raise FrameConnectionLost(str(error)) from error
            if not piece:
                raise FrameConnectionLost("the other side closed the connection")
            self._arrived += piece
        whole = bytes(memoryview(self._arrived)[:size])
        del self._arrived[:size]
        return whole
