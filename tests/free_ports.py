"""Ports for programs that must be told theirs: of a range from which operating systems give none to others."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

PORTS = range(10_000, 20_000)
"""Neither these nor those larger by 10 000, which clusters of Redis use, are given to whoever asks for any port."""


def free_ports(count: int) -> list[int]:
    """Returns ports that are free now, all different."""
    found = _free()
    return [next(found) for _ in range(count)]


def _free() -> Iterator[int]:
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                yield port
