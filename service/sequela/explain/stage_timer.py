"""Wall time of the steps of an explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from sequela.concurrency.deadline import Deadline
from sequela.explain.ports import Observer
from sequela.explain.telemetry import StageDone
from sequela.spans import span

Result = TypeVar("Result")


@dataclass(slots=True)
class StageTimer:
    """Measures steps and reports them to the observer. `seconds` has the wall time of each step that succeeded."""

    observer: Observer
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measures the step that runs in the body of the context."""
        start = Deadline.now()
        # A step that raises is not counted: its time would not be comparable. Its span says that it failed.
        with span(name):
            yield
        self.seconds[name] = Deadline.now() - start
        self.observer.notice(StageDone(name, self.seconds[name]))


def timed(observer: Observer, stage: str, work: Callable[[], Result]) -> Result:
    """Does the work of one step, and reports its time to the observer. Raises what `work` raises."""
    start = Deadline.now()
    result = work()
    observer.notice(StageDone(stage, Deadline.now() - start))
    return result
