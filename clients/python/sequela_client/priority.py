"""The priority of requests while a server is busy."""

from __future__ import annotations

from typing import Any, Literal

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.enums import member

Priority = Literal["interactive", "bulk"]


def priority_number(priority: Priority | None) -> Any:
    """Returns the contract's number of a priority; 0 for the server's default. Raises CallerError (OPTION_INVALID)."""
    return pb.PRIORITY_UNSPECIFIED if priority is None else member(pb.Priority, "priority", priority)
