"""A listening socket that bounds the connections whose TLS handshake is not over yet. asyncio reports them nowhere."""

from __future__ import annotations

import contextlib
import socket
import weakref
from collections import OrderedDict
from collections.abc import Sized
from typing import Any


class ListenerSocket(socket.socket):
    """Ends the oldest unfinished handshake if there are more than `max_connections`, finished ones included.

    Args:
        listener: A socket that listens. This one takes it over.
        established: The connections whose handshake is over.
        max_connections: The largest number of both together.
    """

    def __init__(self, listener: socket.socket, established: Sized, max_connections: int) -> None:
        super().__init__(listener.family, listener.type, listener.proto, fileno=listener.detach())
        self._established, self._max_connections = established, max_connections
        self._unfinished: OrderedDict[int, weakref.ref[socket.socket]] = OrderedDict()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accepts a connection, and ends another one if there are too many."""
        connection, peer = super().accept()
        number = connection.fileno()
        # A number that is used again belongs to a connection that has ended.
        self._unfinished.pop(number, None)
        self._unfinished[number] = weakref.ref(connection)
        self._make_room()
        return connection, peer

    def finish(self, number: int) -> None:
        """Notes that the handshake of the connection with this file descriptor is over."""
        self._unfinished.pop(number, None)

    def _make_room(self) -> None:
        while len(self._unfinished) > 1 and self._count() > self._max_connections:
            _, oldest = self._unfinished.popitem(last=False)
            connection = oldest()
            if connection is not None and connection.fileno() != -1:
                # asyncio reads the end of the stream, and closes the connection.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                return

    def _count(self) -> int:
        return len(self._unfinished) + len(self._established)
