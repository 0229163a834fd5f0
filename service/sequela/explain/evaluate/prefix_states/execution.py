"""Evaluates coalitions with a recurrent model that is run from states, so that shared events are run only once.

Coalitions that agree on the oldest events share the states after these events (timeshap/prefix_tree.py). The first
steps of a prefix tree have few classes and are shared by all coalitions, so they run one after another. The branches
after them share nothing and run in parallel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import MAX_JOB_WORK, MAX_SINGLE_THREAD_WORK, ModelCaller
from sequela.explain.evaluate.prefix_states.game_layout import GameLayout
from sequela.explain.evaluate.prefix_states.state_cache import PrefixSource, PrefixStates
from sequela.explain.evaluate.prefix_states.step_runner import (
    ClassStates,
    Outputs,
    RowsByInput,
    RunnableStep,
    StepRunner,
    joined,
)
from sequela.explain.ports import LocalModel, PaddingRows, Recurrence
from sequela.timeshap.masking import Masker
from sequela.timeshap.players import Players
from sequela.timeshap.prefix_tree import CALL_COST, Step, prefix_trees
from sequela.timeshap.pruning import FIRST_WINDOW

Coalitions: TypeAlias = NDArray[np.bool_]

MAX_STATE_BYTES = 8 << 20
"""Size limit in bytes of the states of one prefix tree."""
MAX_UNSHARED_WORK = 2_000_000
"""Up to this many multiply-adds, running every row is faster than finding out what coalitions share."""
CALL_WORK = 5e6
"""Multiply-adds that take as long as preparing and starting one more call, about a quarter of a millisecond."""
MAX_CALL_COST = 192
"""The largest cost of a call in rows over one event, since even the smallest model takes time for a row."""
MAX_SHARED_CLASSES = 512
"""A step with at most this many classes is run once for all branches."""
TARGET_BRANCHES = 16
"""Approximate number of branches of a tree: more than there are cores, so that no core is idle for long at the end."""
MIN_BRANCH_CLASSES = 128
"""Minimum number of classes of a branch in the last step, if the step has that many."""
MAX_STORED_PREFIXES = 8
"""If the first step has at most this many classes, their states come from `PrefixStates`, one by one. Otherwise the
classes run as a batch.
"""


@dataclass(frozen=True, eq=False)
class PrefixStateExecution:
    """Runs perturbations of X and B from states. Implements `Execution`.

    Attributes:
        model: The model.
        recurrence: The same model, run from states.
        masker: Builds the perturbations.
        padding: The padding around the events.
        output_event: The event t <= 0 whose output is explained, for models with an output for each event.
        prefix_states: The states after prefixes of X and B.
        caller: Calls the model.
    """

    model: LocalModel
    recurrence: Recurrence
    masker: Masker
    padding: PaddingRows
    output_event: int
    prefix_states: PrefixStates
    caller: ModelCaller
    _layouts: dict[Players, GameLayout] = field(default_factory=dict)

    def live(self, players: Players) -> NDArray[np.bool_]:
        """As in `Execution`. Events after the one whose output is explained are not run."""
        return self.masker.live(players, self._stop)

    def seconds(self, coalitions: int) -> float:
        """As in `Execution`, assuming that coalitions share nothing."""
        events = self._stop + len(self.padding.before[0]) + len(self.padding.after[0])
        return self.caller.expected_seconds(coalitions, events, self.model.work(events))

    def base_and_score(self, players: Players) -> Outputs:
        """As in `Execution`. States along the way are kept, because the windows of the pruning scan start from them."""
        neither_and_all = np.array([[False], [True]]).repeat(len(players), axis=1)
        # The scan begins at the recent end, so the states before its first window serve all its coalitions.
        begin = max((end for end in self.prefix_states.kept_ends if end < self._stop), default=0)
        runner = StepRunner(self.recurrence, self.caller, neither_and_all, np.inf)
        if not begin or self._is_little(2 * FIRST_WINDOW):
            return self._run(runner, [self._single_step(2)], self._layout(players))
        both = np.arange(2)
        steps = [Step(0, begin, both, np.zeros(2, dtype=np.intp)), Step(begin, self._stop, both, both)]
        return self._run(runner, steps, self._layout(players))

    def outputs(self, players: Players, coalitions: Coalitions, until: float) -> Outputs:
        """As in `Execution`."""
        runner = StepRunner(self.recurrence, self.caller, coalitions, until)
        layout = self._layout(players)
        # For small models, sorting coalitions takes more time than it saves.
        if self._is_little(len(coalitions)):
            return self._run(runner, [self._single_step(len(coalitions))], layout)
        found = [
            (tree, self._run(runner, tree.steps, layout))
            for tree in prefix_trees(layout.order, coalitions, self._max_coalitions, self._call_cost)
        ]
        outputs = np.empty((len(coalitions), found[0][1].shape[1]))
        for tree, values in found:
            outputs[tree.coalitions] = values.take(tree.leaves, axis=0)
        return outputs

    def _layout(self, players: Players) -> GameLayout:
        """Returns the layout of a game, which is kept until another game begins."""
        known = self._layouts.get(players)
        if known is None:
            self._layouts.clear()
            known = GameLayout(players, self.masker, self._stop, self.recurrence.static_enters)
            self._layouts[players] = known
        return known

    def _run(self, runner: StepRunner, steps: Sequence[Step], layout: GameLayout) -> Outputs:
        """Returns the outputs of the last step, one row per class."""
        work = sum(len(step.rows) * self.model.work(step.stop - step.start) for step in steps)
        job = partial(self._run_steps, runner, steps, layout)
        # A small game takes one turn of a worker instead of one for each step.
        return self.caller.run_job(job) if work <= MAX_SINGLE_THREAD_WORK else job()

    def _run_steps(self, runner: StepRunner, steps: Sequence[Step], layout: GameLayout) -> Outputs:
        states, steps, padding = self._begin(runner, steps, layout)
        runnable = [self._runnable(step, layout, padding, runner.until) for step in steps]
        # Steps of few classes are one or two batches, so dividing them among branches would run them again for
        # each.
        while len(runnable) > 1 and runnable[0].classes <= MAX_SHARED_CLASSES:
            step = runnable.pop(0)
            states = self.caller.run_job(partial(runner.advance, step, slice(0, step.classes), states))
        work = sum(step.classes * step.work for step in runnable)
        spans = _branch_spans(runnable, len(runner.coalitions), work)
        jobs = (partial(_run_branch, runner, runnable, span, states) for span in spans)
        return joined(list(self.caller.run_jobs(jobs, work)))

    def _begin(
        self, runner: StepRunner, steps: Sequence[Step], layout: GameLayout
    ) -> tuple[ClassStates, Sequence[Step], RowsByInput]:
        """Returns the states to start from, the remaining steps, and the padding that must still be run."""
        first, *later = steps
        # The usual case: the first step is the pruned block, so its states are those of X or B, which may be
        # known.
        if later and len(first.rows) <= MAX_STORED_PREFIXES:
            sources = _sources(runner.coalitions.take(first.rows, axis=0), first.stop, layout)
            if sources:
                return self._stored_states(first.stop, sources, runner.until), later, ()
        if not len(self.padding.before[0]):
            return ClassStates(self.recurrence.initial(1)), steps, ()
        # The states after the padding depend on the static inputs, so it is run once per combination of them.
        static = _static_from_x(runner.coalitions.take(first.rows, axis=0), layout)
        combinations, parents = np.unique(static, axis=0, return_inverse=True)
        if len(combinations) <= MAX_STORED_PREFIXES:
            sources = [PrefixSource(False, tuple(each.tolist())) for each in combinations]
            states = self._stored_states(0, sources, runner.until)
            return states, [replace(first, parents=parents.reshape(-1)), *later], ()
        return ClassStates(self.recurrence.initial(1)), steps, self.padding.before

    def _stored_states(self, stop: int, sources: Sequence[PrefixSource], until: float) -> ClassStates:
        """Returns the states after events 0 … stop - 1, one row for each source."""
        states = [self.prefix_states.states(stop, source, until) for source in sources]
        return ClassStates(tuple(map(np.concatenate, zip(*states, strict=True))))

    def _runnable(self, step: Step, layout: GameLayout, padding: RowsByInput, until: float) -> RunnableStep:
        mask = layout.mask(step.start, step.stop)
        before = padding if step.start == 0 else ()
        # A model with an output per event is read at the event itself, before any padding that follows.
        after = (
            self.padding.after if step.stop == layout.stop and not self.model.info.schema.per_event else ()
        )
        events, cells = step.stop - step.start, mask.event_cells
        for around in (before, after):
            if around:
                events += len(around[0])
                cells += sum(rows.size for rows in around)
        work = self.model.work(events)
        rows = self.caller.batch_rows(work, events, cells, until)
        return RunnableStep(step, mask, before, after, rows, work)

    def _is_little(self, coalitions: int) -> bool:
        padding = len(self.padding.before[0]) + len(self.padding.after[0])
        return coalitions * self.model.work(self._stop + padding) <= MAX_UNSHARED_WORK

    def _single_step(self, coalitions: int) -> Step:
        """Returns one step with all events of every coalition, in which nothing is shared."""
        return Step(0, self._stop, np.arange(coalitions), np.zeros(coalitions, dtype=np.intp))

    @cached_property
    def _stop(self) -> int:
        """The number of events to run. Events after the one whose output is explained change nothing."""
        return self.masker.sequence.length + self.output_event

    @cached_property
    def _call_cost(self) -> float:
        """The cost of one more call, in units of running one row over one event. Small models run many in its time."""
        return min(max(CALL_WORK / self.model.work(1), CALL_COST), MAX_CALL_COST)

    @cached_property
    def _max_coalitions(self) -> int:
        """The most coalitions of one tree: a power of two whose states fit into `MAX_STATE_BYTES`, at least 1024."""
        row_bytes = sum(array.nbytes for array in self.recurrence.initial(1))
        return max(1 << (MAX_STATE_BYTES // max(row_bytes, 1)).bit_length() - 1, 1024)


def _sources(coalitions: Coalitions, stop: int, layout: GameLayout) -> list[PrefixSource]:
    """Returns where each coalition takes its events 0 … stop - 1 from, or an empty list if one mixes X and B."""
    from_x = coalitions.take(layout.owners_before(stop), axis=1)
    # A coalition of which all these players are in, or all out, has a prefix of X or of B alone.
    entirely = np.asarray(from_x.all(axis=1))
    if (from_x.any(axis=1) != entirely).any():
        return []
    static = _static_from_x(coalitions, layout).tolist() if layout.static_enters else [()] * len(coalitions)
    return [PrefixSource(x, tuple(s)) for x, s in zip(entirely.tolist(), static, strict=True)]


def _static_from_x(coalitions: Coalitions, layout: GameLayout) -> NDArray[np.bool_]:
    """Returns which static inputs come from X and reach the states, (n, static inputs)."""
    return np.asarray(coalitions.take(layout.players.static, axis=1) & layout.static_that_enters)


def _branch_spans(steps: Sequence[RunnableStep], coalitions: int, work: int) -> Iterator[slice]:
    """Yields the slice of the last step's classes in which each branch ends.

    Args:
        steps: The steps that the branches run.
        coalitions: The number of coalitions in the game.
        work: The multiply-adds of all branches. A branch does at most `MAX_JOB_WORK` of it, or a single batch if
            there is only one step.
    """
    last = steps[-1]
    if work <= MAX_SINGLE_THREAD_WORK:
        yield slice(0, last.classes)
        return
    most = last.rows if len(steps) == 1 else int(MAX_JOB_WORK * last.classes / work)
    # What a single thread does at once is not divided: every branch prepares batches of its own.
    worthwhile = int(MAX_SINGLE_THREAD_WORK * last.classes / work)
    size = max(min(max(coalitions // TARGET_BRANCHES, worthwhile), most), min(MIN_BRANCH_CLASSES, last.rows))
    yield from (slice(start, min(start + size, last.classes)) for start in range(0, last.classes, size))


def _run_branch(
    runner: StepRunner, steps: Sequence[RunnableStep], span: slice, states: ClassStates
) -> Outputs:
    """Returns the outputs of the classes `span` of the last step, starting from the states before the first step."""
    # Work backwards to find out which classes of each earlier step are needed. Classes are sorted, so these are
    # contiguous.
    spans = [span]
    for step in reversed(steps[1:]):
        parents = step.step.parents[spans[0]]
        spans.insert(0, slice(int(parents[0]), int(parents[-1]) + 1))
    for step, part in zip(steps[:-1], spans, strict=False):
        states = runner.advance(step, part, states)
    return runner.finish(steps[-1], span, states)
