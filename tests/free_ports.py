"""Ports for programs that must be told theirs: of a range from which operating systems give none to others."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

TRIES = 20
"""How many ports are tried. If none can be bound, it is not the ports."""

WORKERS = 8
"""Each worker of pytest-xdist has ports of its own, up to this number of workers."""
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

PORTS = range(20_000 + WORKER % WORKERS, 22_700, WORKERS)
"""Neither these nor those larger by 10,000, which clusters of Redis use, are given to whoever asks for any port. Ray
gives its workers those from 10,002 to 19,999.
"""


def free_ports(count: int) -> list[int]:
    """Returns ports that are free now, all different."""
    found = _free()
    return [next(found) for _ in range(count)]


def bind_any(bind: Callable[[int], T]) -> T:
    """Binds a free port, and returns what `bind` returns. It may raise OSError or RuntimeError if the port is taken.

    The port can be bound again after it was closed: nobody who asks for any port is given it meanwhile.
    """
    for port in islice(_free(), TRIES):
        try:
            return bind(port)
        except (OSError, RuntimeError):
            continue
    raise OSError(f"{TRIES} ports could not be bound")


def _free() -> Iterator[int]:
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                yield port
