"""The sender of a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sequela.access.roles import EVERY_ROLE, AccessRole


class AuthenticationMethod(StrEnum):
    """How the server identified a caller."""

    NONE = "none"  # it does not
    TOKEN = "token"  # noqa: S105  # of the operator's file
    CERTIFICATE = "certificate"
    JWT = "jwt"  # a token that an identity provider has signed


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request.

    Attributes:
        name: The client's name in the file of tokens, the identity in its certificate, or the subject of its signed
            token. Empty if the server does not know.
        roles: What the caller may do.
        method: How the server knows the name and the roles.
    """

    name: str
    roles: frozenset[AccessRole]
    method: AuthenticationMethod = AuthenticationMethod.NONE


ANYBODY = Caller("", EVERY_ROLE)
"""Every caller of a server without authentication."""
STRANGER = Caller("", frozenset())
"""A caller that has not shown who it is."""
