"""The caller of a server, as the server identifies it."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.enums import word


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a server, as the server has identified it.

    Args:
        name: the client's name in the server's file of tokens, the identity in its certificate, or `jwt:` and the
            subject of its signed token; empty if the server serves everybody.
        roles: what it may do: explain, read and admin. If the server serves everybody, all of them.
        method: how the server identified it: token, certificate or jwt; none if the server serves everybody.
    """

    name: str
    roles: tuple[str, ...]
    method: str


def caller(message: pb.Caller) -> Caller:
    """Returns a caller from its message."""
    roles = tuple(word(pb.Role, role) for role in message.roles)
    return Caller(message.name, roles, word(pb.AuthenticationMethod, message.method))
