"""Frames arrive whole and in order, however the bytes between two processes are cut."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from sequela.engines.frames import (
    CHUNK_BYTES,
    HEADER,
    FrameConnection,
    FrameConnectionLost,
    FrameInvalid,
    Kind,
)

FRAMES = [
    (Kind.TASK, b""),
    (Kind.QUESTION, b"q"),
    (Kind.RESULT, bytes(range(256)) * 300),
    (Kind.ANSWER, b"a"),
]


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def content(kind: Kind, body: bytes) -> bytes:
    return HEADER.pack(len(body), kind) + body


def test_frames_that_arrive_together(sockets: tuple[socket.socket, socket.socket]) -> None:
    """Several frames may be there before the first is read; none is lost, and none is mixed with another."""
    ours, theirs = sockets
    theirs.sendall(b"".join(content(*each) for each in FRAMES))
    connection = FrameConnection(ours, CHUNK_BYTES)
    assert [connection.receive() for _ in FRAMES] == FRAMES


@pytest.mark.parametrize("cut", [1, 4, 5, 6])
def test_a_frame_that_arrives_in_pieces(sockets: tuple[socket.socket, socket.socket], cut: int) -> None:
    """A cut within the header, behind it, or within the content changes nothing for the frame or the next one."""
    ours, theirs = sockets
    connection, whole = FrameConnection(ours, CHUNK_BYTES), content(Kind.RESULT, b"abc")
    theirs.sendall(content(Kind.TASK, b"x") + whole[:cut])
    assert connection.receive() == (Kind.TASK, b"x")
    theirs.sendall(whole[cut:] + content(Kind.TASK, b"y"))
    assert [connection.receive() for _ in range(2)] == [(Kind.RESULT, b"abc"), (Kind.TASK, b"y")]


def test_frames_before_the_end_are_read(sockets: tuple[socket.socket, socket.socket]) -> None:
    """What arrived before the other side ended is still there; half a frame is not a frame."""
    ours, theirs = sockets
    theirs.sendall(content(Kind.TASK, b"x") + content(Kind.TASK, b"y")[:-1])
    theirs.close()
    connection = FrameConnection(ours, CHUNK_BYTES)
    assert connection.receive() == (Kind.TASK, b"x")
    with pytest.raises(FrameConnectionLost):
        connection.receive()


def test_a_frame_that_announces_too_much(sockets: tuple[socket.socket, socket.socket]) -> None:
    """It is refused by its header alone."""
    ours, theirs = sockets
    theirs.sendall(HEADER.pack(11, Kind.TASK))
    with pytest.raises(FrameInvalid):
        FrameConnection(ours, 10).receive()
