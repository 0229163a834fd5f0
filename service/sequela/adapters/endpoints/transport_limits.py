"""Limits of a transport, and the name that it gives itself."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Limits of a transport.

    Attributes:
        message_bytes: The maximum size of one call and of one answer.
        connect_seconds: How long connecting may take.
    """

    message_bytes: int
    connect_seconds: float


def user_agent() -> str:
    """Returns the name that Sequela gives itself to endpoints."""
    try:
        return f"sequela/{version('sequela')}"
    except PackageNotFoundError:  # run from its source
        return "sequela"
