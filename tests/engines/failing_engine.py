"""An engine that cannot start."""

from __future__ import annotations

from sequela.engines.channel import Channel


def serve(config: bytes, channel: Channel) -> None:
    raise ValueError("no models")
