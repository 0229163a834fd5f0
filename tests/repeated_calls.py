"""Calls a function again and again in a thread, while a test does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(call: Callable[[], None], pause_seconds: float) -> Iterator[None]:
    """Makes calls until the context exits, with a pause before each. An error ends them, and is raised at the exit."""
    over, errors = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            while not over.wait(pause_seconds):
                call()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="repeated-calls")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if errors:
        raise errors[0]
