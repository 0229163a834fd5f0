"""Switches that help to find out where a number comes from."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.explain.evaluate.choose_execution import ExecutionKind
from sequela.explain.tracer import NO_TRACE, Tracer


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How an `Explainer` is observed, and which execution it has to use.

    Attributes:
        tracer: Records every explanation.
        execution: The execution to use for models in this process; None to choose automatically.
    """

    tracer: Tracer = NO_TRACE
    execution: ExecutionKind | None = None

    @property
    def active(self) -> bool:
        """Whether anything is switched on. Every explanation is then computed, and no answer reused."""
        return self.tracer is not NO_TRACE or self.execution is not None


NO_DIAGNOSTICS = Diagnostics()
