"""The person behind a request."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_client.client import Sequela


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who uses the console.

    Args:
        name: what the service calls this person. Where it asks nobody: what the person typed, or empty.
        roles: this person's roles at the service: read, explain, admin.
        service: the client of the service with this person's credentials.
        verified: whether the service says that this is the name.
    """

    name: str
    roles: frozenset[str]
    service: Sequela
    verified: bool = False

    def may(self, role: str) -> bool:
        """Returns whether this person has a role. An admin has all of them."""
        return role in self.roles or "admin" in self.roles
