"""Runs the steps of a prefix tree in batches, for the coalitions of one game."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import ModelCaller, even_slices
from sequela.explain.ports import Recurrence, States
from sequela.timeshap.cells import Cells
from sequela.timeshap.masking import Mask
from sequela.timeshap.prefix_tree import Step

T = TypeVar("T")
Outputs = NDArray[np.float64]
RowsByInput = tuple[NDArray[Any], ...]
"""Rows (k, d_j) for each event input that precede or follow the real events."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassStates:
    """The states after a step, one row for each of its classes, starting with class number `first`."""

    states: States
    first: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class RunnableStep:
    """A step with everything that is needed to run it.

    Attributes:
        step: The events of the step, and its classes of coalitions.
        mask: Builds the cells of these events.
        before: The padding before the events, if they are the first ones.
        after: The padding after the events, if they are the last ones.
        rows: The number of classes in one batch.
        work: The multiply-adds of one class.
    """

    step: Step
    mask: Mask
    before: RowsByInput
    after: RowsByInput
    rows: int
    work: int

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.step.rows)


def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Returns the rows of all parts one after the other. A single part is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


@dataclass(frozen=True, slots=True, eq=False)
class StepRunner:
    """Runs steps of a recurrent model. All methods raise as `ModelCaller.run` does.

    Attributes:
        recurrence: The model.
        caller: Calls the model.
        coalitions: The coalitions of the game, (n, players).
        until: When the calls must have ended, in seconds on the monotonic clock.
    """

    recurrence: Recurrence
    caller: ModelCaller
    coalitions: NDArray[np.bool_]
    until: float

    def advance(self, step: RunnableStep, span: slice, before: ClassStates) -> ClassStates:
        """Returns the states after a step for its classes in `span`, given the states `before` it."""
        parts = list(self._run(step, span, before, self.recurrence.advance))
        return ClassStates(tuple(map(joined, zip(*parts, strict=True))), span.start)

    def finish(self, step: RunnableStep, span: slice, before: ClassStates) -> Outputs:
        """Returns the raw outputs (classes, outputs) after the last step for its classes in `span`."""
        return joined(list(self._run(step, span, before, self.recurrence.finish)))

    def _run(
        self, step: RunnableStep, span: slice, before: ClassStates, run: Callable[[Cells, States, float], T]
    ) -> Iterator[T]:
        for part in even_slices(span.start, span.stop, step.rows):
            # Each class continues from the states of its parent; several classes may have the same one.
            parents = step.step.parents[part]
            parents = parents - before.first if before.first else parents
            batch = step.mask.apply(self.coalitions, step.step.rows[part])
            if step.before or step.after:
                batch = batch.between(step.before, step.after)
            states = tuple(array.take(parents, axis=0) for array in before.states)
            yield self.caller.run(len(parents), batch.length, self.until, partial(run, batch, states))
