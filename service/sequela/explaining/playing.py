"""Plays one game: plan a stage, evaluate it, solve, and stop when it is sure enough or must.

Stages are nested, so the coalitions of a stage are kept when the next one adds to them, and the number of
coalitions alone reproduces a level (design §4.4-5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.clock import TimeUp
from sequela.explaining.evaluating import Evaluator
from sequela.explaining.explanation import StopReason
from sequela.timeshap.coalitions import (
    all_coalitions,
    allocation,
    minimum_budget,
    pairs_of,
    stages,
    strata,
)
from sequela.timeshap.players import Players
from sequela.timeshap.solving import Solution, solve, solve_small

NEAR = 0.7
"""A stage is solved when it is this near to the size at which the target should be reached, or larger."""
FARTHEST = 4.0
"""How far that is trusted, in sizes of the stage it follows from: small samples do not know well how sure they are."""
MOST_MEMBERSHIPS = 1 << 24
"""Coalitions times players held at a time, a byte each."""
SOLVING_SPEED = 5e9
"""Multiply-adds a second that solving reaches at least; only deadlines depend on it, never an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What holds for a level. target: standard error to reach, (targets,). until: on the monotonic clock."""

    budget: int
    most_players: int
    target: NDArray[np.float64]
    seed: int
    until: float


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A game's outcome; `solution` is None where it was not computed, and `detail` says why.

    out_of_time: the clock stopped it, whether or not that left a solution.
    """

    players: Players
    reason: StopReason
    solution: Solution | None = None
    coalitions: int = 0
    clipped: int = 0
    detail: str = ""
    seconds: float = 0.0
    out_of_time: bool = False


def play(evaluator: Evaluator, players: Players, gain: NDArray[np.float64], rules: Rules) -> Played:
    """Plays a game. gain: f(X) - f(B) on the link's scale, (targets,). Raises Cancelled and DoesNotFit."""
    start, clipped = evaluator.clock.now(), evaluator.clipped
    played = _play(evaluator, players, gain, rules)
    return replace(played, seconds=evaluator.clock.now() - start, clipped=evaluator.clipped - clipped)


def _play(evaluator: Evaluator, players: Players, gain: NDArray[np.float64], rules: Rules) -> Played:
    m = len(players)
    if m < 2:
        return Played(players, StopReason.EXACT, solve_small(gain, m), coalitions=all_coalitions(m))
    if m > rules.most_players:
        detail = (
            f"{m} players, the limit is {rules.most_players}; a larger pruning tolerance leaves fewer events"
        )
        return Played(players, StopReason.NOT_COMPUTED, detail=detail)
    budgets = stages(m, rules.budget)
    if not budgets:
        detail = f"{rules.budget} coalitions are below the minimum of {minimum_budget(m)} for {m} players"
        return Played(players, StopReason.NOT_COMPUTED, detail=detail)
    return _stage_by_stage(_Sample(evaluator, players, rules), budgets, gain, rules.target)


def _stage_by_stage(
    sample: _Sample, budgets: tuple[int, ...], gain: NDArray[np.float64], target: NDArray[np.float64]
) -> Played:
    """Grows the sample until it is sure enough, or the last stage or the time ends it.

    A standard error falls with the square root of the sample, so stages that cannot reach the target yet are not
    solved.
    """
    players, hopeless = sample.players, 0.0 if target.all() else np.inf
    solved: Played | None = None
    for budget in budgets:
        try:
            sample.grow(budget)
        except TimeUp:
            return replace(_salvage(sample, solved, gain), out_of_time=True)
        reason = _reason(len(players), budget, budget == budgets[-1])
        if reason is None and budget < hopeless:
            continue
        solution = sample.solve(gain)
        if reason is None:
            missing = float((solution.largest_error / target).max())
            hopeless = budget * min(NEAR * missing**2, FARTHEST)
            reason = StopReason.TARGET if missing <= 1 else None
        solved = Played(players, reason or StopReason.DEADLINE, solution, budget)
        if reason is not None:
            return solved
    raise AssertionError("the last stage always has a reason")  # pragma: no cover


def _reason(players: int, budget: int, is_last: bool) -> StopReason | None:
    if budget == all_coalitions(players):
        return StopReason.EXACT
    return StopReason.BUDGET if is_last else None


def _salvage(sample: _Sample, solved: Played | None, gain: NDArray[np.float64]) -> Played:
    """The last stage that was evaluated whole, when the time is up."""
    if not sample.budget:
        detail = f"the time left did not suffice for {minimum_budget(len(sample.players))} coalitions"
        return Played(sample.players, StopReason.NOT_COMPUTED, detail=detail)
    if solved and solved.coalitions == sample.budget:
        return solved
    return Played(sample.players, StopReason.DEADLINE, sample.solve(gain), sample.budget)


def _solving_seconds(players: int, pairs: int) -> float:
    """What it takes at most to solve: two passes over the pairs, and a matrix inverted."""
    return (2 * pairs + 2 * players) * players**2 / SOLVING_SPEED


class _Sample:
    """The pairs evaluated so far: for each stratum the odd parts (k_s, targets) of its first k_s pairs."""

    def __init__(self, evaluator: Evaluator, players: Players, rules: Rules) -> None:
        self.players = players
        self.budget = 0
        self._evaluator, self._rules = evaluator, rules
        self._layers = strata(len(players))
        self._sampler = pairs_of(len(players), rules.budget, rules.seed)
        self._odd = [np.empty((0, len(rules.target))) for _ in self._layers]

    def grow(self, budget: int) -> None:
        """Evaluates what `budget` adds, as long as time to solve it is left.

        After TimeUp the sample stands as it stood before.
        """
        counts = allocation(len(self.players), budget)
        until = self._rules.until - _solving_seconds(len(self.players), sum(counts))
        fresh: list[list[NDArray[np.float64]]] = [[] for _ in self._layers]
        for batch in self._batches(counts):
            pairs = np.concatenate([self._sampler.pairs(*part) for part in batch])
            values = self._evaluator.values(self.players, np.concatenate([pairs, ~pairs]), until)
            odd = (values[: len(pairs)] - values[len(pairs) :]) / 2
            edges = np.cumsum([stop - start for _, start, stop in batch])[:-1]
            for (stratum, _, _), part in zip(batch, np.split(odd, edges), strict=True):
                fresh[stratum].append(part)
        self._odd = [np.concatenate([old, *new]) for old, new in zip(self._odd, fresh, strict=True)]
        self._counts, self.budget = counts, budget

    def solve(self, gain: NDArray[np.float64]) -> Solution:
        """Solves the stage last grown to."""
        odd = [values[:count] for values, count in zip(self._odd, self._counts, strict=True)]
        return solve(self._sampler, self._layers, odd, gain)

    def _batches(self, counts: tuple[int, ...]) -> Iterator[list[tuple[int, int, int]]]:
        """What is missing, as slabs of (stratum, start, stop): all at once lets coalitions share the most, but what
        is held at a time is bounded.
        """
        room = most = max(MOST_MEMBERSHIPS // (2 * len(self.players)), 1)
        batch: list[tuple[int, int, int]] = []
        for stratum, (odd, count) in enumerate(zip(self._odd, counts, strict=True)):
            start = len(odd)
            while start < count:
                stop = min(count, start + room)
                batch.append((stratum, start, stop))
                room -= stop - start
                start = stop
                if not room:
                    yield batch
                    batch, room = [], most
        if batch:
            yield batch
