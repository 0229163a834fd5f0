"""The identity of a caller, as the service knows it."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_client.client import Sequela

from sequela_console.http.errors import ApiError

_OF_PERSONS = frozenset({"token", "jwt"})


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller, as the service knows it.

    Args:
        name: its name; empty where the service does not authenticate callers.
        roles: its roles.
        method: how it was identified: none, token, certificate or jwt.
    """

    name: str
    roles: frozenset[str]
    method: str

    def check_person(self) -> None:
        """Raises ApiError (403) unless a token said who calls.

        A certificate would be that of the console, and a service that ignores tokens would let everybody in.
        """
        if self.method not in _OF_PERSONS:
            raise ApiError(
                403,
                "TOKEN_NOT_ASKED_FOR",
                "the service does not identify callers by tokens, so the console cannot know who you are; start the "
                "service with --tokens, or with signed tokens",
                "token",
            )


def identify(service: Sequela) -> Identity:
    """Asks the service how it identifies the client. Raises SequelaError."""
    found = service.get_caller()
    return Identity(found.name, frozenset(found.roles), found.method)
