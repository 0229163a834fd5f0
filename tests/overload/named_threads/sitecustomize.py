"""Gives threads of Python their names in Linux's /proc, as Python 3.14 does by itself.

Python imports this file at its start if the folder is on PYTHONPATH.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

_libc = ctypes.CDLL(None)
PR_SET_NAME = 15
"""From Linux's `prctl.h`. A sandbox may forbid to write to /proc, but not this. Linux cuts names to 15 bytes."""


def _named(run: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def named(thread: threading.Thread) -> None:
        _libc.prctl(PR_SET_NAME, thread.name.encode(), 0, 0, 0)
        run(thread)

    return named


threading.Thread.run = _named(threading.Thread.run)  # type: ignore[method-assign]
