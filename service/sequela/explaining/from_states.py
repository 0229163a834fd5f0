"""Values of coalitions by a recurrent model: what coalitions share of the past is run once (timeshap/prefixes.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.asking import Asker
from sequela.explaining.pasts import Pasts, Side
from sequela.explaining.ports import Frame, Model, Recurrence, States
from sequela.timeshap.cells import Cells
from sequela.timeshap.masking import Mask, Masker
from sequela.timeshap.players import Players
from sequela.timeshap.prefixes import Step, meetings, walks

T = TypeVar("T")
Coalitions = NDArray[np.bool_]
Outputs = NDArray[np.float64]
Ask = Callable[[Cells, States, float], T]
Padding = tuple[NDArray[Any], ...]

MOST_STATES = 8 << 20
"""Bytes of states held at a time."""
MOST_PASTS = 8
"""Classes of the first step that begin from the request's pasts, one by one; more are run as a batch."""


@dataclass(frozen=True, slots=True, eq=False)
class StateRuns:
    """Runs mixes of X and B from states. Implements `evaluating.Runs`."""

    model: Model
    recurrence: Recurrence
    masker: Masker
    frame: Frame
    output_event: int
    pasts: Pasts
    asker: Asker

    def endpoints(self, players: Players) -> Outputs:
        """Raw outputs (2, outputs) of B and X."""
        nobody_and_all = np.repeat([[False], [True]], len(players), axis=1)
        begin = max((at for at in self.pasts.ladder if at < self._stop), default=0)
        both, one = np.arange(2), np.zeros(2, dtype=np.intp)
        steps = [Step(0, begin, both, one), Step(begin, self._stop, both, both)]
        return self._values(steps if begin else [Step(0, self._stop, both, one)], players, nobody_and_all)

    def outputs(self, players: Players, coalitions: Coalitions, until: float) -> Outputs:
        """Raw outputs (n, outputs) of coalitions (n, players)."""
        met = meetings(players, self._stop, self.recurrence.static_enters)
        parts = [
            (walk, self._values(walk.steps, players, coalitions, until))
            for walk in walks(met, coalitions, self._most)
        ]
        found = np.empty((len(coalitions), parts[0][1].shape[1]))
        for walk, values in parts:
            found[walk.coalitions] = values[walk.leaves]
        return found

    def _values(
        self, steps: Sequence[Step], players: Players, coalitions: Coalitions, until: float = np.inf
    ) -> Outputs:
        """Of the last step's classes, in their order."""
        states: States = self.recurrence.initial(1)
        begun = self._from_pasts(steps[0], players, coalitions, until) if len(steps) > 1 else None
        *passing, last = steps[1:] if begun else steps
        states = begun or states
        for step in passing:
            parts = self._run(step, players, coalitions, states, until, self.recurrence.advance)
            states = tuple(map(np.concatenate, zip(*parts, strict=True)))
        return np.concatenate(
            list(self._run(last, players, coalitions, states, until, self.recurrence.finish))
        )

    def _from_pasts(
        self, step: Step, players: Players, coalitions: Coalitions, until: float
    ) -> States | None:
        """The states after the first step where its classes are few, and each takes all its events from one side."""
        if len(step.rows) > MOST_PASTS:
            return None
        owning = np.zeros(len(players), dtype=np.bool_)
        owning[players.grid[: step.stop]] = True
        rows = coalitions[step.rows]
        from_x = rows[:, owning]
        if not (from_x.all(axis=1) | ~from_x.any(axis=1)).all():
            return None
        static = rows[:, players.static] & np.array(self.recurrence.static_enters, dtype=np.bool_)
        sides = [Side(bool(x[0]), tuple(s.tolist())) for x, s in zip(from_x, static, strict=True)]
        ended = [self.pasts.states(step.stop, side, until) for side in sides]
        return tuple(map(np.concatenate, zip(*ended, strict=True)))

    def _run(
        self,
        step: Step,
        players: Players,
        coalitions: Coalitions,
        states: States,
        until: float,
        ask: Ask[T],
    ) -> Iterator[T]:
        """A step in batches; states are those of the step before."""
        mask = self.masker.over(players, step.start, step.stop)
        before = self.frame.before if step.start == 0 else None
        after = self.frame.after if step.stop == self._stop and not self.model.schema.per_event else None

        def run(part: slice) -> T:
            batch = _between(before, mask.apply(coalitions, step.rows[part]), after)
            parents = step.parents[part]
            begun = tuple(array.take(parents, axis=0) for array in states)
            return self.asker.ask(len(parents), batch.length, until, partial(ask, batch, begun))

        rows = self._rows(step, mask)
        jobs = (partial(run, slice(at, at + rows)) for at in range(0, len(step.rows), rows))
        return iter(self.asker.share(jobs))

    def _rows(self, step: Step, mask: Mask) -> int:
        events = step.stop - step.start
        cells = sum(switch.background.size for switch in mask.events)
        return self.asker.batch_rows(self.model.work(events), events, cells)

    @property
    def _stop(self) -> int:
        """Events after the one whose output is explained change nothing."""
        return self.masker.sequence.length + self.output_event

    @property
    def _most(self) -> int:
        """Coalitions in a walk: a power of two."""
        size = sum(array.nbytes for array in self.recurrence.initial(1))
        return max(1 << (MOST_STATES // max(size, 1)).bit_length() - 1, 1024)


def _between(before: Padding | None, batch: Cells, after: Padding | None) -> Cells:
    """The batch with the padding (k, d_j) that stands before and after its events."""
    parts = [
        [np.broadcast_to(rows, (len(batch.events[0]), *rows.shape)) for rows in padding]
        if padding and len(padding[0])
        else []
        for padding in (before, after)
    ]
    if not any(parts):
        return batch
    lined_up = zip(*(part for part in (parts[0], batch.events, parts[1]) if part), strict=True)
    return Cells(tuple(np.concatenate(pieces, axis=1) for pieces in lined_up), batch.static)
