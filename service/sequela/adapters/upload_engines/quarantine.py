"""Models that ended their engine are not run again for a while."""

from __future__ import annotations

import threading
import time

from cachetools import TTLCache

from sequela.engines.exits import EngineExit, ExitReason
from sequela.errors import DoesNotFit

MAX_DIGESTS = 10_000
GUILTY = frozenset({ExitReason.CRASHED, ExitReason.OUT_OF_MEMORY, ExitReason.CPU_LIMIT, ExitReason.INVALID})
"""Ends of an engine that its model is to blame for, even if it did not run at that moment."""


class Quarantine:
    """Remembers the digests of such models. Thread-safe.

    Args:
        seconds: How long a model is kept in quarantine; 0 to keep none.
    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._ends: TTLCache[str, tuple[float, str]] = TTLCache(MAX_DIGESTS, max(seconds, 1e-9))
        self._seconds = seconds

    def add(self, digest: str, detail: str) -> None:
        """Puts a model into quarantine. `detail` continues "its process …"."""
        with self._lock:
            self._ends[digest] = (time.monotonic() + self._seconds, detail)

    def note(self, digest: str, ending: EngineExit) -> None:
        """Puts a model into quarantine if it is to blame for the end of its engine."""
        if ending.reason in GUILTY:
            self.add(digest, ending.detail)

    def check(self, digest: str) -> None:
        """Raises DoesNotFit (MODEL_QUARANTINED) if the model is in quarantine."""
        with self._lock:
            end, detail = self._ends.get(digest, (0.0, ""))
        left = end - time.monotonic()
        if left > 0:
            text = (
                f"the model with the digest {digest} is not run for another {left:.0f} s, because the process that ran "
                f"it {detail}; mend the model, or ask the operator"
            )
            raise DoesNotFit("MODEL_QUARANTINED", text, metadata={"digest": digest})
