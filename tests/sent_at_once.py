"""Whether a server sends the parts of an answer at once, instead of waiting until earlier ones are acknowledged."""

from __future__ import annotations

import asyncio
import socket

import pytest


def noted(monkeypatch: pytest.MonkeyPatch, protocol: type[asyncio.Protocol]) -> list[int]:
    """Returns a list to which each new connection of this protocol adds its TCP_NODELAY."""
    found: list[int] = []
    made = protocol.connection_made

    def connection_made(self: asyncio.Protocol, transport: asyncio.BaseTransport) -> None:
        connection = transport.get_extra_info("socket")
        found.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    monkeypatch.setattr(protocol, "connection_made", connection_made)
    return found
