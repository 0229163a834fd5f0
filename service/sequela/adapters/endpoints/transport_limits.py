"""What a transport is held to, and how it names itself."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """message_bytes: of one call, and of one answer. connect_seconds: until a connection stands."""

    message_bytes: int
    connect_seconds: float


def user_agent() -> str:
    """How Sequela names itself to endpoints."""
    try:
        return f"sequela/{version('sequela')}"
    except PackageNotFoundError:  # run from its source
        return "sequela"
