"""Values of coalitions by a recurrent model: what coalitions share of the past is run once (timeshap/prefixes.py).

A walk has a trunk, legs of so few classes that they are a batch or two, and branches, which share no leg: they run side
by side and wait for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import ALONE, TURN, ModelCaller
from sequela.explain.evaluate.prefix_states.state_cache import PrefixStates, Side
from sequela.explain.evaluate.prefix_states.walk import Held, Leg, Outputs, Padding, Walker
from sequela.explain.ports import Frame, Model, Recurrence
from sequela.timeshap.masking import Masker
from sequela.timeshap.players import Players
from sequela.timeshap.prefix_tree import Step, meetings, walks

Coalitions: TypeAlias = NDArray[np.bool_]

MOST_STATES = 8 << 20
"""Bytes of states held at a time."""
LITTLE_WORK = 2_000_000
"""Multiply-adds that take less time than finding out what coalitions share."""
TRUNK = 512
"""Classes that a leg of the trunk has at most."""
BRANCHES = 16
"""Branches of a walk, about: more than there are cores, so that none is idle for long."""
FEWEST = 128
"""Classes that a branch ends in at least, where there are as many."""
MOST_PASTS = 8
"""Classes of the first step that begin from the request's pasts, one by one; more are run as batches."""


@dataclass(frozen=True, slots=True, eq=False)
class PrefixStateExecution:
    """Runs mixes of X and B from states. Implements `evaluate.Execution`."""

    model: Model
    recurrence: Recurrence
    masker: Masker
    frame: Frame
    output_event: int
    prefix_states: PrefixStates
    caller: ModelCaller

    def live(self, players: Players) -> NDArray[np.bool_]:
        """As in `Execution`: events after the one whose output is explained are not run."""
        return self.masker.live(players, self._stop)

    def seconds(self, coalitions: int) -> float:
        """As in `Execution`: as if coalitions shared nothing."""
        events = self._stop + len(self.frame.before[0]) + len(self.frame.after[0])
        return self.caller.expected_seconds(coalitions, events, self.model.work(events))

    def endpoints(self, players: Players) -> Outputs:
        """Raw outputs (2, outputs) of B and X."""
        nobody_and_all = np.repeat([[False], [True]], len(players), axis=1)
        begin = max((at for at in self.prefix_states.window_ends if at < self._stop), default=0)
        walker = Walker(self.recurrence, self.caller, nobody_and_all, np.inf)
        if not begin or self._is_little(2):
            return self._walked(walker, [self._at_once(2)], players)
        both = np.arange(2)
        steps = [Step(0, begin, both, np.zeros(2, dtype=np.intp)), Step(begin, self._stop, both, both)]
        return self._walked(walker, steps, players)

    def outputs(self, players: Players, coalitions: Coalitions, until: float) -> Outputs:
        """Raw outputs (n, outputs) of coalitions (n, players)."""
        walker = Walker(self.recurrence, self.caller, coalitions, until)
        if self._is_little(len(coalitions)):
            return self._walked(walker, [self._at_once(len(coalitions))], players)
        met = meetings(players, self._stop, self.recurrence.static_enters)
        found = [
            (walk.coalitions, self._walked(walker, walk.steps, players)[walk.leaves])
            for walk in walks(met, coalitions, self._most)
        ]
        outputs = np.empty((len(coalitions), found[0][1].shape[1]))
        for chosen, values in found:
            outputs[chosen] = values
        return outputs

    def _walked(self, walker: Walker, steps: Sequence[Step], players: Players) -> Outputs:
        """Of the last step's classes, in their order."""
        held, steps, before = self._begun(walker, steps, players)
        legs = [self._leg(step, players, before, walker.until) for step in steps]
        while len(legs) > 1 and legs[0].classes <= TRUNK:
            leg = legs.pop(0)
            (held,) = self.caller.run_jobs([partial(walker.pass_through, leg, slice(0, leg.classes), held)])
        work = sum(leg.classes * leg.work for leg in legs)
        spans = _spans(legs, len(walker.coalitions), work)
        jobs = (partial(_branch, walker, legs, span, held) for span in spans)
        return np.concatenate(list(self.caller.run_jobs(jobs, work)))

    def _begun(
        self, walker: Walker, steps: Sequence[Step], players: Players
    ) -> tuple[Held, Sequence[Step], Padding]:
        """The states to begin from, the steps that are left, and the padding that is still to be run."""
        first, *later = steps
        static = self._entering(walker, first, players)
        sides = self._sides(walker, first, players, static)
        if later and sides and len(sides) <= MOST_PASTS:
            return self._past(first.stop, sides, walker.until), later, ()
        padded = len(self.frame.before[0]) > 0
        combinations, parents = np.unique(static, axis=0, return_inverse=True)
        if padded and len(combinations) <= MOST_PASTS:
            begun = self._past(0, [Side(False, tuple(each.tolist())) for each in combinations], walker.until)
            return begun, [replace(first, parents=parents.reshape(-1)), *later], ()
        return Held(self.recurrence.initial(1)), steps, self.frame.before if padded else ()

    def _past(self, stop: int, sides: Sequence[Side], until: float) -> Held:
        ended = [self.prefix_states.states(stop, side, until) for side in sides]
        return Held(tuple(map(np.concatenate, zip(*ended, strict=True))))

    def _sides(self, walker: Walker, step: Step, players: Players, static: NDArray[np.bool_]) -> list[Side]:
        """Where the classes of a first step take their events from; none where one mixes them."""
        owning = np.zeros(len(players), dtype=np.bool_)
        owning[players.grid[: step.stop]] = True
        from_x = walker.coalitions[step.rows][:, owning]
        if not (from_x.all(axis=1) | ~from_x.any(axis=1)).all():
            return []
        return [Side(bool(x[0]), tuple(s.tolist())) for x, s in zip(from_x, static, strict=True)]

    def _entering(self, walker: Walker, step: Step, players: Players) -> NDArray[np.bool_]:
        """Which static inputs come from X, of those that reach the states, (classes, static inputs)."""
        enters = np.array(self.recurrence.static_enters, dtype=np.bool_)
        return np.asarray(walker.coalitions[step.rows][:, players.static] & enters)

    def _leg(self, step: Step, players: Players, padding: Padding, until: float) -> Leg:
        mask = self.masker.over(players, step.start, step.stop)
        before = padding if step.start == 0 else ()
        after = self.frame.after if step.stop == self._stop and not self.model.info.schema.per_event else ()
        around = [*before, *after]
        events = step.stop - step.start + sum(len(side[0]) for side in (before, after) if side)
        cells = sum(switch.background.size for switch in mask.events) + sum(rows.size for rows in around)
        work = self.model.work(events)
        return Leg(step, mask, before, after, self.caller.batch_rows(work, events, cells, until), work)

    def _is_little(self, coalitions: int) -> bool:
        padding = len(self.frame.before[0]) + len(self.frame.after[0])
        return coalitions * self.model.work(self._stop + padding) <= LITTLE_WORK

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


def _spans(legs: Sequence[Leg], coalitions: int, work: int) -> Iterator[slice]:
    """The last leg's classes of each branch: a turn's work at most, one batch where one leg is left. work: of all."""
    last = legs[-1]
    if work <= ALONE:
        yield slice(0, last.classes)
        return
    most = last.rows if len(legs) == 1 else int(TURN * last.classes / work)
    size = max(min(coalitions // BRANCHES, most), min(FEWEST, last.rows))
    yield from (slice(at, min(at + size, last.classes)) for at in range(0, last.classes, size))


def _branch(walker: Walker, legs: Sequence[Leg], span: slice, held: Held) -> Outputs:
    """Outputs of some of the last leg's classes, from the states that the trunk ends with."""
    spans = [span]
    for leg in reversed(legs[1:]):
        parents = leg.step.parents[spans[0]]
        spans.insert(0, slice(int(parents[0]), int(parents[-1]) + 1))
    for leg, part in zip(legs[:-1], spans, strict=False):
        held = walker.pass_through(leg, part, held)
    return walker.finish(legs[-1], span, held)
