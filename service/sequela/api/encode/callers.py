"""Encodes callers."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.access.caller import Caller
from sequela.access.roles import AccessRole
from sequela.contract.enums import ACCESS_ROLES, AUTHENTICATION_METHODS


def caller(item: Caller) -> pb.Caller:
    """Encodes a caller. Roles are in the order of the contract, since a set has none."""
    return pb.Caller(
        name=item.name,
        roles=[ACCESS_ROLES.number(role) for role in AccessRole if role in item.roles],
        method=AUTHENTICATION_METHODS.number(item.method),
    )
