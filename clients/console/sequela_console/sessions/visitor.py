"""The person behind a request."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_client.client import Sequela

from sequela_console.http.errors import ApiError

GRACE_SECONDS = 600.0
"""How long, in seconds, somebody may continue to read after the service has stopped answering."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who uses the console.

    Args:
        name: the name that the service has for this person. If it does not authenticate callers: what the person typed,
            or empty.
        roles: this person's roles at the service: read, explain, admin.
        service: the client of the service with this person's credentials.
        verified: whether the service says that this is the name.
        confirmed: whether the service can confirm this person now. Somebody whom it confirmed a short while ago may
            still read what the console itself has.
    """

    name: str
    roles: frozenset[str]
    service: Sequela
    verified: bool = False
    confirmed: bool = True

    def may(self, role: str) -> bool:
        """Returns whether this person has a role. An admin has all of them."""
        return role in self.roles or "admin" in self.roles

    def check_confirmed(self) -> None:
        """Raises ApiError (503) if the service cannot confirm this person now."""
        if not self.confirmed:
            raise ApiError(
                503,
                "SERVICE_DOWN",
                "the service does not answer, so the console cannot confirm who you are; nothing was saved",
            )
