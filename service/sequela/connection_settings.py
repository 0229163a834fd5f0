"""The settings that bound what callers may open and send together."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, Field, field_validator


class ConnectionSettings(BaseModel):
    """A part of `Settings`."""

    max_grpc_connections: int = Field(
        1024, ge=1, description="Largest number of open gRPC connections; further ones are closed at once."
    )
    max_http_connections: int = Field(
        1024,
        ge=1,
        description="Largest number of open HTTP connections. Further ones only get answers to health probes; their "
        "other requests are refused.",
    )
    max_http_body_bytes: int = Field(
        8 << 20,
        ge=1024,
        description="Largest HTTP request body. A body may contain one value for every 8 bytes of this limit.",
    )
    max_http_bodies: int = Field(
        8,
        ge=1,
        description="Memory for HTTP request bodies, as a multiple of --max-http-body-bytes. Requests that do not fit "
        "are refused.",
    )
    max_http_timeout: float = Field(
        600.0,
        gt=0,
        description="Longest deadline, in seconds, that a header of an HTTP request can set. A longer one is reduced "
        "to this.",
    )
    allowed_hosts: str = Field(
        "",
        description="Names, separated by spaces, that the Host header of HTTP GET requests may hold besides the "
        "machine's own; * allows all. Unset: only the machine's own if --http-host is a loopback address, otherwise "
        "all.",
    )
    max_message_bytes: int = Field(64 << 20, ge=1024, description="Largest gRPC message.")
    max_message_bytes_in_flight: int = Field(
        1 << 30,
        ge=1024,
        description="Memory for the gRPC messages of all calls together. A message that is still arriving counts "
        "with --max-message-bytes. Calls that do not fit wait, and are refused if there is no room in "
        "time.",
    )
    max_streams: int = Field(
        64,
        ge=1,
        description="Largest number of open ExplainStream calls. The part of their next message that has arrived "
        "does not count in --max-message-bytes-in-flight, because a stream may wait for its next "
        "message as long as it is open.",
    )
    upload_timeout: float = Field(
        120.0,
        gt=0,
        description="Seconds that a gRPC message, an HTTP body or a whole model may take to arrive. While other calls "
        "wait for room, a message that takes longer than a second is refused.",
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_only(cls, names: str) -> str:
        # Such a name would never be that of a request.
        if not all(map(is_host, names.split())):
            raise ValueError("must be names separated by spaces, without ports and schemes")
        return names


def is_host(text: str) -> bool:
    """Returns whether a text may be the name of a host, or is an address without brackets and port."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return not set(text) & set(":/[],")
    return True
