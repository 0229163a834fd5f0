"""What the last log line of a request says about the explanations that it got.

The line is written where the request came in, and the explanations are made in other threads. Both share one record.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class LogFacts:
    """The explanations of one request: their names, and the ids that its caller gave them, if these are logged."""

    explanations: list[str] = field(default_factory=list)
    caller_ids: list[str] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """Returns the fields of the line. Of several explanations it has the count, since there may be thousands."""
        named = [each for each in self.explanations if each]
        if len(named) > 1:
            return {"explanations": len(named)}
        texts = {"explanation": named, "caller_id": [each for each in self.caller_ids if each]}
        return {name: values[0] for name, values in texts.items() if values}


_current: ContextVar[LogFacts | None] = ContextVar("log_facts", default=None)


@contextmanager
def log_facts() -> Iterator[LogFacts]:
    """Makes the record of the request that the body serves. Threads and tasks that the body starts see it too."""
    facts = LogFacts()
    before = _current.set(facts)
    try:
        yield facts
    finally:
        _current.reset(before)


def note_explanation(name: str, caller_id: str = "") -> None:
    """Notes an explanation of the current request: its name, and the caller's id if that may be logged."""
    if facts := _current.get():
        facts.explanations.append(name)
        facts.caller_ids.append(caller_id)
