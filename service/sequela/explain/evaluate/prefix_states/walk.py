"""Runs the steps of a walk for the coalitions of one game, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import ModelCaller, cut
from sequela.explain.ports import Recurrence, States
from sequela.timeshap.cells import Cells
from sequela.timeshap.masking import Mask
from sequela.timeshap.prefix_tree import Step

T = TypeVar("T")
Outputs = NDArray[np.float64]
Padding = tuple[NDArray[Any], ...]
"""Rows (k, d_j) for each event input that stand before or after the real events."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """States after a step, of its classes from `first` on."""

    states: States
    first: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """A step made ready to run: its mask, the padding around its events, the rows of a batch, and the multiply-adds
    of one class.
    """

    step: Step
    mask: Mask
    before: Padding
    after: Padding
    rows: int
    work: int

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.step.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Walker:
    """Takes the coalitions (n, players) of one game through a recurrent model, until a time of the monotonic clock.

    Raises as `ModelCaller.run` does.
    """

    recurrence: Recurrence
    caller: ModelCaller
    coalitions: NDArray[np.bool_]
    until: float

    def pass_through(self, leg: Leg, span: slice, held: Held) -> Held:
        """The states after a leg, of the classes in a span."""
        parts = list(self._asked(leg, span, held, self.recurrence.advance))
        return Held(tuple(map(np.concatenate, zip(*parts, strict=True))), span.start)

    def finish(self, leg: Leg, span: slice, held: Held) -> Outputs:
        """Raw outputs (classes, outputs) after the last leg, of the classes in a span."""
        return np.concatenate(list(self._asked(leg, span, held, self.recurrence.finish)))

    def _asked(
        self, leg: Leg, span: slice, held: Held, ask: Callable[[Cells, States, float], T]
    ) -> Iterator[T]:
        for part in cut(span.start, span.stop, leg.rows):
            parents = leg.step.parents[part] - held.first
            batch = leg.mask.apply(self.coalitions, leg.step.rows[part]).between(leg.before, leg.after)
            states = tuple(array.take(parents, axis=0) for array in held.states)
            yield self.caller.run(len(parents), batch.length, self.until, partial(ask, batch, states))
