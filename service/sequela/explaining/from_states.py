"""Values of coalitions by a recurrent model: what coalitions share of the past is run once (timeshap/prefixes.py)."""

from __future__ import annotations

from collections import deque
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
LITTLE_WORK = 2_000_000
"""Multiply-adds that take less time than finding out what coalitions share."""
TRUNK = 512
"""Steps of up to so many classes are run as one, all others in branches."""
BRANCHES = 16
LARGEST_BRANCH = 4096
"""Branches of a walk, about, and coalitions in one at most: a few batches, so that others get their turn."""
FEWEST = 128
"""Rows that a batch has at least where there are as many: few coalitions are cut into several batches too."""
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
        if not begin or self._is_little(2):
            return self._values([self._at_once(2)], players, nobody_and_all)
        both = np.arange(2)
        steps = [Step(0, begin, both, np.zeros(2, dtype=np.intp)), Step(begin, self._stop, both, both)]
        return self._values(steps, players, nobody_and_all)

    def outputs(self, players: Players, coalitions: Coalitions, until: float) -> Outputs:
        """Raw outputs (n, outputs) of coalitions (n, players)."""
        if self._is_little(len(coalitions)):
            return self._values([self._at_once(len(coalitions))], players, coalitions, until)
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
        """Of the last step's classes, in their order.

        First the trunk, steps of so few classes that they are one batch; then branches, which share no step.
        """
        states = self._from_pasts(steps[0], players, coalitions, until) if len(steps) > 1 else None
        rest = deque(self._prepared(step, players) for step in steps[bool(states) :])
        states = states or self.recurrence.initial(1)
        while len(rest) > 1 and len(rest[0].step.rows) <= TRUNK:
            job = partial(self._advanced, rest.popleft(), coalitions, states, until)
            (states,) = self.asker.share([job])
        branches = self._branches(len(coalitions), rest)
        jobs = (partial(self._branch, rest, *branch, coalitions, states, until) for branch in branches)
        return np.concatenate(list(self.asker.share(jobs)))

    def _branches(self, coalitions: int, rest: Sequence[_Prepared]) -> Iterator[tuple[int, int]]:
        """Ranges of the last step's classes: some batches of the steps that are left, and one of a single step."""
        classes = len(rest[-1].step.rows)
        if len(rest) > 1:
            size = min(max(coalitions // BRANCHES, TRUNK), LARGEST_BRANCH)
        else:
            size = min(rest[-1].rows, max(1 << (classes // BRANCHES).bit_length(), FEWEST))
        yield from ((start, min(start + size, classes)) for start in range(0, classes, size))

    def _branch(
        self,
        steps: Sequence[_Prepared],
        start: int,
        stop: int,
        coalitions: Coalitions,
        states: States,
        until: float,
    ) -> Outputs:
        """Values of the last step's classes start … stop - 1, from the states that the trunk ends with."""
        spans = [slice(start, stop)]
        for each in reversed(steps):
            above = each.step.parents[spans[0]]
            spans.insert(0, slice(int(above[0]), int(above[-1]) + 1))
        first = 0
        for each, span in zip(list(steps)[:-1], spans[1:], strict=False):
            states = self._advanced(each, coalitions, states, until, span, first)
            first = span.start
        finished = self._asked(steps[-1], spans[-1], first, coalitions, states, until, self.recurrence.finish)
        return np.concatenate(list(finished))

    def _advanced(
        self,
        each: _Prepared,
        coalitions: Coalitions,
        states: States,
        until: float,
        span: slice = slice(None),
        first: int = 0,
    ) -> States:
        parts = self._asked(each, span, first, coalitions, states, until, self.recurrence.advance)
        return tuple(map(np.concatenate, zip(*parts, strict=True)))

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

    def _prepared(self, step: Step, players: Players) -> _Prepared:
        mask = self.masker.over(players, step.start, step.stop)
        events = step.stop - step.start
        cells = sum(switch.background.size for switch in mask.events)
        return _Prepared(
            step,
            mask,
            self.frame.before if step.start == 0 else None,
            self.frame.after if step.stop == self._stop and not self.model.schema.per_event else None,
            self.asker.batch_rows(self.model.work(events), events, cells),
        )

    def _asked(
        self,
        each: _Prepared,
        span: slice,
        first: int,
        coalitions: Coalitions,
        states: States,
        until: float,
        ask: Ask[T],
    ) -> Iterator[T]:
        """A step's classes in batches; states are those of the step before, from its class `first` on."""
        start, stop, _ = span.indices(len(each.step.rows))
        for at in range(start, stop, each.rows):
            part = slice(at, min(at + each.rows, stop))
            parents = each.step.parents[part] - first
            batch = each.batch(coalitions, part)
            begun = tuple(array.take(parents, axis=0) for array in states)
            yield self.asker.ask(len(parents), batch.length, until, partial(ask, batch, begun))

    def _is_little(self, coalitions: int) -> bool:
        return coalitions * self.model.work(self._stop) <= LITTLE_WORK

    def _at_once(self, coalitions: int) -> Step:
        """All events of every coalition."""
        return Step(0, self._stop, np.arange(coalitions), np.zeros(coalitions, dtype=np.intp))

    @property
    def _stop(self) -> int:
        """Events after the one whose output is explained change nothing."""
        return self.masker.sequence.length + self.output_event

    @property
    def _most(self) -> int:
        """Coalitions in a walk: a power of two."""
        size = sum(array.nbytes for array in self.recurrence.initial(1))
        return max(1 << (MOST_STATES // max(size, 1)).bit_length() - 1, 1024)


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A step made ready to run: its mask, the padding that stands before and after its events, a batch's rows."""

    step: Step
    mask: Mask
    before: Padding | None
    after: Padding | None
    rows: int

    def batch(self, coalitions: Coalitions, part: slice) -> Cells:
        """The cells that some of its classes run."""
        return _between(self.before, self.mask.apply(coalitions, self.step.rows[part]), self.after)


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
