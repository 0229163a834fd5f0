"""What is told about the calls to an endpoint while they are made."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class CallListener(Protocol):
    """Is notified of each call that scores rows, in the thread that makes the call."""

    def call_sent(self, rows: int) -> None:
        """A call with `rows` rows is about to be sent, including rows that fill up a fixed batch. It may still fail."""

    def version_named(self, version: str) -> None:
        """A valid answer arrived, which names this version of the model; empty if it names none. Never raises."""

    def call_answered(self, rows: slice, outputs: NDArray[np.float64], seconds: float) -> None:
        """A call returned the raw outputs (m, outputs) of these rows after `seconds` seconds."""
