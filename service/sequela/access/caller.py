"""Whoever sent a request."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.access.roles import EVERY_ROLE, AccessRole


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request.

    Attributes:
        name: The client's name in the file of tokens, the identity in its certificate, or the subject of its signed
            token. Empty if the server does not know.
        roles: What the caller may do.
    """

    name: str
    roles: frozenset[AccessRole]


ANYBODY = Caller("", EVERY_ROLE)
"""Every caller of a server without authentication."""
STRANGER = Caller("", frozenset())
"""A caller that has not shown who it is."""
