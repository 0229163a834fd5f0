"""An engine that takes long to start."""

from __future__ import annotations

import time

from sequela.engines.channel import Channel


def serve(config: bytes, channel: Channel) -> None:
    time.sleep(60)
