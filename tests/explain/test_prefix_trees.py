"""Prefix trees in many small parts: several trees, branches from the middle of a step, steps of several batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from asking import one_worker
from numpy.typing import NDArray
from recurrent import PlainRnn
from sequela.concurrency.deadline import Deadline
from sequela.explain.evaluate import model_caller
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.prefix_states import execution
from sequela.explain.evaluate.prefix_states.execution import PrefixStateExecution
from sequela.explain.evaluate.prefix_states.state_cache import BackgroundStateCache, PrefixStates
from sequela.explain.evaluate.prefix_states.step_runner import ClassStates, Outputs, RunnableStep, StepRunner
from sequela.explain.evaluate.whole import WholeExecution
from sequela.explain.ports import Observers, PaddingRows
from sequela.timeshap.cells import Cells, Columns
from sequela.timeshap.masking import Masker
from sequela.timeshap.players import (
    Extent,
    Players,
    cell_players,
    event_players,
    full_feature_players,
    unpruned_feature_players,
)
from sequela.timeshap.prefix_tree import prefix_trees
from sequela.timeshap.pruning import window_ends

LENGTH = 30
FEATURES = 12
GAMES: dict[str, Callable[[Extent], Players]] = {
    "events": lambda extent: event_players(extent, ()),
    "pruned": lambda extent: event_players(extent, (18,)),
    "blocks": lambda extent: event_players(extent, (15, 6, 2)),
    "unpruned features": lambda extent: unpruned_feature_players(extent, 19),
    "features": full_feature_players,
    "cells": lambda extent: cell_players(extent, 21, [-5, -2, 0], [1, 4]),
    "cells of one event": lambda extent: cell_players(extent, 0, [-9], list(range(6))),
}

MET_AT_ONCE = ("features", "unpruned features")
"""All players appear at one event: a single step, whose branches are a batch each."""


class WideRnn(PlainRnn):
    """Of twelve columns, so that games of features have coalitions enough."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._w = np.random.default_rng(self.seed + 1).normal(size=(FEATURES, 3)) / 2


@dataclass
class Seen:
    """How the trees were divided."""

    trees: int = 0
    spans: list[slice] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Every constant tiny, and a runner that records what it was given."""
    found = Seen()

    class RecordingRunner(StepRunner):
        __slots__ = ()

        def advance(self, step: RunnableStep, span: slice, before: ClassStates) -> ClassStates:
            found.batches.append(-(-(span.stop - span.start) // step.rows))
            found.firsts.append(before.first)
            return super().advance(step, span, before)

        def finish(self, step: RunnableStep, span: slice, before: ClassStates) -> Outputs:
            found.spans.append(span)
            found.batches.append(-(-(span.stop - span.start) // step.rows))
            found.firsts.append(before.first)
            return super().finish(step, span, before)

    def counted(*arguments: Any) -> Any:
        for tree in prefix_trees(*arguments):
            found.trees += 1
            yield tree

    monkeypatch.setattr(execution, "StepRunner", RecordingRunner)
    monkeypatch.setattr(execution, "prefix_trees", counted)
    monkeypatch.setattr(PrefixStateExecution, "_max_coalitions", 128)
    for name, value in {
        "MAX_UNSHARED_WORK": 0,
        "MAX_SHARED_CLASSES": 6,
        "TARGET_BRANCHES": 5,
        "MIN_BRANCH_CLASSES": 3,
        "MAX_JOB_WORK": 2e7,
        "MAX_SINGLE_THREAD_WORK": 0,
    }.items():
        monkeypatch.setattr(execution, name, value)
    monkeypatch.setattr(model_caller, "MAX_BATCH_ROWS", 4)
    monkeypatch.setattr(model_caller, "MAX_SINGLE_THREAD_WORK", 0)
    return found


def runs(
    model: WideRnn, padding: PaddingRows, output_event: int = 0
) -> tuple[PrefixStateExecution, WholeExecution, Extent]:
    rng = np.random.default_rng(3)
    static = tuple(rng.normal(size=2) for _ in model.enters)
    x = Cells((rng.normal(size=(LENGTH, FEATURES)),), static)
    b = Cells((rng.normal(size=(LENGTH, FEATURES)),), tuple(s + 1 for s in static))
    masker = Masker(x, b, Columns((np.arange(FEATURES),), features=FEATURES, static=len(static)))
    caller = ModelCaller(Deadline(), one_worker(), Observers(()))
    states = PrefixStates(model, masker, padding, window_ends(LENGTH), caller, BackgroundStateCache(), None)
    whole: Any = model
    return (
        PrefixStateExecution(whole, model, masker, padding, output_event, states, caller),
        WholeExecution(whole, masker, padding, output_event, caller),
        Extent(LENGTH, FEATURES, len(static)),
    )


def padding_of(before: int, after: int) -> PaddingRows:
    return PaddingRows((np.full((before, FEATURES), 0.5),), (np.full((after, FEATURES), -0.5),))


def coalitions_of(players: Players) -> NDArray[np.bool_]:
    """Some hundreds in pairs, with repetitions, nobody and all."""
    drawn = np.random.default_rng(1).random((250, len(players))) < 0.5
    drawn[0] = True
    return np.concatenate([drawn, ~drawn, drawn[:9]])


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(
    ("enters", "before", "after"),
    [
        ((), 0, 0),
        ((True, False), 4, 0),
        ((), 0, 3),
        pytest.param((True, False), 0, 0, marks=pytest.mark.slow),
        pytest.param((), 4, 0, marks=pytest.mark.slow),
        pytest.param((True, False), 0, 3, marks=pytest.mark.slow),
    ],
)
def test_every_game_cut_small(
    game: str, enters: tuple[bool, ...], before: int, after: int, seen: Seen
) -> None:
    """However the coalitions are cut, every one has the value that the whole model gives it."""
    states, whole, extent = runs(WideRnn(enters), padding_of(before, after))
    players = GAMES[game](extent)
    coalitions = coalitions_of(players)
    found = states.outputs(players, coalitions, math.inf)
    wanted = whole.outputs(players, coalitions, math.inf)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)
    assert len(np.unique(wanted.round(9), axis=0)) > len(wanted) // 8
    assert seen.trees > 3
    assert any(span.start > 0 for span in seen.spans)
    if game not in MET_AT_ONCE:
        assert max(seen.batches) > 1


@pytest.mark.parametrize("event", [-2, pytest.param(-11, marks=pytest.mark.slow)])
def test_an_earlier_output_cut_small(event: int, seen: Seen) -> None:
    """Later events are players that change nothing: many coalitions come to the same class."""
    states, whole, extent = runs(WideRnn((True,), per_event=True), padding_of(2, 2), event)
    for game in GAMES.values():
        players = game(extent)
        coalitions = coalitions_of(players)
        found = states.outputs(players, coalitions, math.inf)
        np.testing.assert_allclose(found, whole.outputs(players, coalitions, math.inf), rtol=0, atol=1e-13)
    assert max(seen.batches) > 1


def test_branches_begin_in_the_middle_of_what_is_held(seen: Seen) -> None:
    """A branch's later legs know that the states they are given begin at a class other than the first."""
    states, whole, extent = runs(WideRnn(), padding_of(0, 0))
    players = event_players(extent, ())
    coalitions = coalitions_of(players)
    found = states.outputs(players, coalitions, math.inf)
    assert any(first > 0 for first in seen.firsts)
    assert len(seen.spans) > 5 * seen.trees
    np.testing.assert_allclose(found, whole.outputs(players, coalitions, math.inf), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("shared", "branches", "smallest"),
    [(1, 1, 1), pytest.param(1, 1000, 1, marks=pytest.mark.slow), (10_000, 1, 1), (2, 3, 50)],
)
def test_the_constants_change_no_value(
    shared: int, branches: int, smallest: int, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps shared, none shared, one branch, a branch for every class."""
    for name, value in {
        "MAX_SHARED_CLASSES": shared,
        "TARGET_BRANCHES": branches,
        "MIN_BRANCH_CLASSES": smallest,
    }.items():
        monkeypatch.setattr(execution, name, value)
    states, whole, extent = runs(WideRnn((True,)), padding_of(0, 0))
    for game in ("pruned", "cells"):
        players = GAMES[game](extent)
        coalitions = coalitions_of(players)
        found = states.outputs(players, coalitions, math.inf)
        np.testing.assert_allclose(found, whole.outputs(players, coalitions, math.inf), rtol=0, atol=1e-13)
    assert seen.trees > 2


def test_trees_are_bounded_by_the_states_they_hold() -> None:
    """A power of two that fits into MAX_STATE_BYTES; at least 1024, so that coalitions share something."""
    states, *_ = runs(WideRnn(), padding_of(0, 0))
    size = states.recurrence.initial(1)[0].nbytes
    most = states._max_coalitions
    assert most & (most - 1) == 0
    assert most * size <= execution.MAX_STATE_BYTES < 2 * most * size
