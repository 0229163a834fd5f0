"""Runs the server until its standard input is closed, so that it never outlives the process that started it.

This file is run as a program, not imported: the server sets up its environment before numpy is loaded, and importing
this package would load numpy. It works on every system, unlike signals on the death of a parent.
"""

import os
import runpy
import signal
import sys
import threading
import time

# The server drains on the first signal and leaves at once on the second one.
_DRAIN_SECONDS = 10.0


def _stop_with_the_parent(standard_input: int) -> None:
    """Waits until the other end of the pipe is closed, and ends this process."""
    while os.read(standard_input, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_DRAIN_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_the_parent, args=[sys.stdin.fileno()], daemon=True).start()
    runpy.run_module("sequela", run_name="__main__")
