"""Refuses, for a while, calls (questions) of a model that ended an engine, and models that ended several engines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cachetools import TTLCache

from sequela.engines.exits import EngineExit, ExitReason
from sequela.errors import DoesNotFit

MAX_DIGESTS = 10_000
MAX_QUESTIONS = 3
"""How many different questions may end engines of a model before the model itself is refused. A single caller's
question must not take the model away from others.
"""

Question = Callable[[], str]
"""Returns a digest that identifies a question to a model. It is called only if the model has ended an engine before."""


class Quarantine:
    """Remembers the digests of such models, and such questions. Thread-safe.

    Args:
        seconds: How long a model or a question is kept in quarantine; 0 to keep none.
    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._ends: TTLCache[str, tuple[float, str]] = TTLCache(MAX_DIGESTS, max(seconds, 1e-9))
        self._questions: TTLCache[str, dict[str, str]] = TTLCache(MAX_DIGESTS, max(seconds, 1e-9))
        self._seconds = seconds

    def add(self, digest: str, detail: str) -> None:
        """Puts a model into quarantine. `detail` continues "its process …"."""
        with self._lock:
            self._ends[digest] = (time.monotonic() + self._seconds, detail)
            self._questions.pop(digest, None)

    def add_question(self, digest: str, question: str, detail: str) -> None:
        """Puts a question to a model into quarantine, and the model itself after several different ones."""
        with self._lock:
            known = {**self._questions.get(digest, {}), question: detail}
            self._questions[digest] = known
        if len(known) >= MAX_QUESTIONS:
            self.add(digest, f"{detail}, after other questions had ended it")

    def note_idle(self, digest: str, ending: EngineExit) -> None:
        """Counts the end of an idle engine as caused by a question of its own."""
        if not ending.busy and ending.reason in (ExitReason.CRASHED, ExitReason.CPU_LIMIT):
            self.add_question(digest, f"none, at {time.monotonic()}", ending.detail)

    def check(self, digest: str, question: Question) -> None:
        """Raises DoesNotFit: MODEL_QUARANTINED or REQUEST_QUARANTINED."""
        with self._lock:
            end, detail = self._ends.get(digest, (0.0, ""))
            asked = self._questions.get(digest)
        left = end - time.monotonic()
        if left > 0:
            text = (
                f"the model with the digest {digest} is not run for another {left:.0f} s, because the process that ran "
                f"it {detail}; fix the model, or ask the operator"
            )
            raise DoesNotFit("MODEL_QUARANTINED", text, metadata={"digest": digest})
        if asked and self._seconds and (found := asked.get(question())):
            text = (
                f"this request is refused for a while, because the process that ran the model {found}; change the "
                "sequence or the background, or fix the model"
            )
            raise DoesNotFit("REQUEST_QUARANTINED", text, metadata={"digest": digest})
