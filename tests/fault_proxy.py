"""A TCP proxy between a client and a real server that can delay, hold back or cut off what passes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from free_ports import free_ports
from waiting import PATIENCE

T = TypeVar("T")

PIECE = 1 << 16
NO_LINGER = struct.pack("ii", 1, 0)
"""The option with which closing a socket sends a reset at once."""
HURRY = 0.05
"""In seconds: how often a proxy that holds everything back checks whether it may pass it on."""

LAST_TURNS = 10
"""Of the loop, at the end: more than a connection with TLS takes to close."""

Piece = tuple[float, bytes]
"""The time at which a piece is due, and its bytes, which are empty at the end."""


class FaultProxy:
    """A proxy that runs inside a `with` block, on a port that stays the same. It uses one thread, and faults may be
    changed while it runs. With `tls` it speaks TLS with clients, and plain TCP with the server.

    Attributes:
        latency: The delay of each piece in seconds, in both directions. Later pieces are not delayed further.
        drip: The number of bytes that pass every hundredth of a second; 0 passes all at once.
        swallowing: Whether connections and bytes are accepted but not passed on.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.latency = 0.0
        self.drip = 0
        self.swallowing = False
        self.taken = 0
        """Connections so far."""
        self._frozen = 0
        self.port = 0
        self._target = (host, port)
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._listener: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self._run(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def listen(self) -> None:
        """Accepts connections again."""
        self._run(self._listen())

    def refuse(self) -> None:
        """Refuses new connections, and resets those that are open."""
        self._run(self._refuse())

    def reset(self) -> None:
        """Resets all open connections. New ones are accepted."""
        self._run(self._reset())

    def lead_to(self, port: int) -> None:
        """Leads new connections to another server; open ones stay where they are."""
        self._target = (self._target[0], port)

    def freeze(self) -> None:
        """Makes open connections stay open without passing anything. New ones work."""
        self._frozen = self.taken

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open) // 2

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await (self._bind(self.port) if self.port else self._bind_any())
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _bind_any(self) -> asyncio.Server:
        """Binds a port that nobody else is given while the proxy refuses connections."""
        for port in free_ports(20):
            with contextlib.suppress(OSError):
                return await self._bind(port)
        raise OSError("no port is free")

    async def _bind(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self._tls)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._reset()

    async def _reset(self) -> None:
        for writer in tuple(self._open):
            with contextlib.suppress(OSError):
                plain = writer.get_extra_info("socket")
                if plain is not None:  # a TLS connection that is closing has none
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            writer.transport.abort()

    async def _ended(self) -> None:
        # A connection may just have been taken, and aborted ones close their sockets some turns of the loop later.
        for _ in range(LAST_TURNS):
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        number = self.taken
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        try:
            async with asyncio.TaskGroup() as both:
                for source, target in ((reader, back), (there, writer)):
                    pieces: asyncio.Queue[Piece] = asyncio.Queue()
                    both.create_task(self._take(source, pieces, number))
                    both.create_task(self._give(pieces, target, number))
        except* OSError:
            pass  # one side has closed, so the other is closed, too
        finally:
            self._open -= {writer, back}
            writer.transport.abort()
            back.transport.abort()

    async def _take(self, source: asyncio.StreamReader, pieces: asyncio.Queue[Piece], number: int) -> None:
        while piece := await source.read(PIECE):
            pieces.put_nowait((self._loop.time() + self.latency, piece))
        if number <= self._frozen:
            raise ConnectionResetError  # the client has closed it
        pieces.put_nowait((self._loop.time() + self.latency, b""))

    async def _give(self, pieces: asyncio.Queue[Piece], target: asyncio.StreamWriter, number: int) -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - self._loop.time())
            while self.swallowing or number <= self._frozen:
                await asyncio.sleep(HURRY)
            if not piece:
                raise ConnectionResetError
            await self._pass_on(piece, target)

    async def _pass_on(self, piece: bytes, target: asyncio.StreamWriter) -> None:
        start = 0
        while start < len(piece):
            end = start + self.drip if self.drip else len(piece)
            target.write(piece[start:end])
            await target.drain()
            start = end
            if self.drip:
                await asyncio.sleep(0.01)
