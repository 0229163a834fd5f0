"""Passes on what happens to engines, as records for observers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sequela.engines.exits import EXPECTED, EngineExit
from sequela.explain.ports import Observer
from sequela.explain.telemetry import EngineEnded, EngineStarted


@dataclass(frozen=True, slots=True)
class EngineEvents:
    """Implements `engines.exits.EngineListener`.

    Attributes:
        observer: Receives the records.
        blame: Is called with every end of an engine, and the digest of the model that was loaded.
    """

    observer: Observer
    blame: Callable[[str, EngineExit], None] = lambda *_: None

    def engine_started(self, pool: str) -> None:
        """See `EngineListener`."""
        self.observer.notice(EngineStarted(pool))

    def engine_ended(self, pool: str, ending: EngineExit) -> None:
        """See `EngineListener`."""
        self.blame(ending.affinity, ending)
        expected = ending.reason in EXPECTED
        record = EngineEnded(pool, str(ending.reason), ending.detail, expected, ending.affinity, ending.log)
        self.observer.notice(record)
