"""Visitors of a console whose service asks nobody who they are."""

from __future__ import annotations

from sequela_client.client import Sequela

from sequela_console.sessions.visitor import Visitor

_EVERY_ROLE = frozenset({"read", "explain", "admin"})


def anybody(service: Sequela) -> Visitor:
    """Returns a visitor without a name who may do everything."""
    return Visitor(name="", roles=_EVERY_ROLE, service=service)
