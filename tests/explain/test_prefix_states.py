"""A recurrent model run from states gives every coalition the value that running it whole gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from asking import one_worker
from numpy.typing import NDArray
from recurrent import PlainRnn
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import Cancelled
from sequela.explain.estimate.game import play
from sequela.explain.estimate.rules import GameRules
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.prefix_states.execution import PrefixStateExecution
from sequela.explain.evaluate.prefix_states.state_cache import (
    OVERHEAD_BYTES,
    BackgroundStateCache,
    PrefixStates,
)
from sequela.explain.evaluate.whole import WholeExecution
from sequela.explain.explanation import StopReason
from sequela.explain.ports import Observers, PaddingRows, States
from sequela.explain.schema import Link
from sequela.timeshap.cells import Cells, Columns
from sequela.timeshap.masking import Masker
from sequela.timeshap.players import (
    Extent,
    Players,
    cell_players,
    event_players,
    full_feature_players,
    one_player,
    unpruned_feature_players,
)
from sequela.timeshap.pruning import scan_windows, split_coalitions, split_players, window_ends

LENGTH = 40


def pieces(model: PlainRnn, length: int = LENGTH, seed: int = 0) -> tuple[Masker, Extent]:
    rng = np.random.default_rng(seed)
    static = tuple(rng.normal(size=2) for _ in model.enters)
    b = Cells((np.tile(rng.normal(size=(1, 3)), (length, 1)),), tuple(s + 1 for s in static))
    x = Cells((rng.normal(size=(length, 3)),), static)
    columns = Columns((np.array([0, 1, 1]),), features=2, static=len(static))
    return Masker(x, b, columns), Extent(length, 2, len(static))


def padding_of(before: int, after: int) -> PaddingRows:
    return PaddingRows((np.full((before, 3), 0.5),), (np.full((after, 3), -0.5),))


def runs(
    model: PlainRnn,
    masker: Masker,
    padding: PaddingRows | None = None,
    output_event: int = 0,
    shared: BackgroundStateCache | None = None,
    key: str | None = None,
    deadline: Deadline | None = None,
) -> tuple[PrefixStateExecution, WholeExecution]:
    caller = ModelCaller(deadline or Deadline(), one_worker(), Observers(()))
    padding = padding or padding_of(0, 0)
    steps = window_ends(masker.sequence.length)
    pasts = PrefixStates(model, masker, padding, steps, caller, shared or BackgroundStateCache(), key)
    whole: Any = model
    states = PrefixStateExecution(whole, model, masker, padding, output_event, pasts, caller)
    return states, WholeExecution(whole, masker, padding, output_event, caller)


def random_coalitions(players: Players, count: int, seed: int = 0) -> NDArray[np.bool_]:
    drawn = np.random.default_rng(seed).random((count, len(players))) < 0.5
    return np.concatenate([drawn, ~drawn, drawn[:3]])


def games(extent: Extent) -> list[Players]:
    return [
        event_players(extent, ()),
        event_players(extent, (30,)),
        event_players(extent, (20, 7, 3)),
        unpruned_feature_players(extent, 0),
        unpruned_feature_players(extent, 31),
        full_feature_players(extent),
        cell_players(extent, 33, [-4, -1, 0], [1]),
        cell_players(extent, 0, [-20], [0, 1]),
    ]


@pytest.mark.parametrize("enters", [(), (True,), (False,), (True, False)])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 0), (0, 2)])
def test_every_game_has_the_values_of_the_whole_model(
    enters: tuple[bool, ...], before: int, after: int
) -> None:
    """Events, blocks, features and cells; static inputs in the states, beside them, both; padding on either side."""
    model = PlainRnn(enters)
    masker, extent = pieces(model)
    from_states, whole = runs(model, masker, padding_of(before, after))
    for players in games(extent):
        coalitions = random_coalitions(players, 60)
        found = from_states.outputs(players, coalitions, math.inf)
        np.testing.assert_allclose(found, whole.outputs(players, coalitions, math.inf), rtol=0, atol=1e-13)
    for players in (event_players(extent, ()), one_player(extent)):
        found = from_states.base_and_score(players)
        np.testing.assert_allclose(found, whole.base_and_score(players), rtol=0, atol=1e-13)


@pytest.mark.parametrize("event", [0, -1, -5, 1 - LENGTH])
def test_an_output_of_an_earlier_event_stops_there(event: int) -> None:
    """Later events are players that change nothing."""
    model = PlainRnn((True,), per_event=True)
    masker, extent = pieces(model)
    from_states, whole = runs(model, masker, padding_of(2, 2), output_event=event)
    for players in games(extent):
        coalitions = random_coalitions(players, 40)
        found = from_states.outputs(players, coalitions, math.inf)
        np.testing.assert_allclose(found, whole.outputs(players, coalitions, math.inf), rtol=0, atol=1e-13)


@pytest.mark.parametrize("length", [1, 2, 8, 9, 10, 25, 100])
def test_the_scan_has_the_values_of_the_whole_model(length: int) -> None:
    """Every window of splits."""
    model = PlainRnn()
    masker, extent = pieces(model, length)
    from_states, whole = runs(model, masker)
    every_event = event_players(extent, ())
    for splits in scan_windows(length):
        players = split_players(extent, splits)
        found = from_states.outputs(players, split_coalitions(players, splits), math.inf)
        coalitions = split_coalitions(every_event, splits)
        expected = whole.outputs(every_event, coalitions, math.inf)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
        found = from_states.outputs(every_event, coalitions, math.inf)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("events", [6, 10, pytest.param(13, marks=pytest.mark.slow)])
def test_all_coalitions_of_events_run_by_the_prefix_tree(events: int) -> None:
    """2^m coalitions cost about 2^(m+1) - 2 events run, beside the prefix, instead of m · 2^m."""
    model = PlainRnn()
    masker, extent = pieces(model)
    from_states, whole = runs(model, masker)
    players = event_players(extent, (LENGTH - events,))
    from_states.base_and_score(players)
    coalitions = np.array(list(product((False, True), repeat=events + 1)))
    before = model.events_run
    found = from_states.outputs(players, coalitions, math.inf)
    # The pruned block doubles the tree; the first few events are run together, a call being dearer than they are.
    assert model.events_run - before < 1.25 * 2 * 2 ** (events + 1) + 2 * LENGTH + 1000
    np.testing.assert_allclose(found, whole.outputs(players, coalitions, math.inf), rtol=0, atol=1e-13)


def test_the_pruned_block_is_two_states() -> None:
    """A second game over the same cut runs the unpruned events only."""
    model = PlainRnn()
    masker, extent = pieces(model)
    from_states, _ = runs(model, masker)
    players = unpruned_feature_players(extent, 35)
    coalitions = np.array(list(product((False, True), repeat=3)))
    from_states.outputs(players, coalitions, math.inf)
    before = model.events_run
    from_states.outputs(players, coalitions, math.inf)
    assert model.events_run - before == 8 * 5


def test_background_states_are_kept_and_change_nothing() -> None:
    """A second sequence finds the background's states; its answers are those of one that does not, to the bit."""
    model, shared = PlainRnn(), BackgroundStateCache()
    masker, extent = pieces(model)
    players = event_players(extent, (30,))
    coalitions = random_coalitions(players, 40)

    def answer(store: BackgroundStateCache) -> tuple[Any, int]:
        before = model.events_run
        from_states, _ = runs(model, masker, shared=store, key="model/background/0")
        found = from_states.outputs(players, coalitions, math.inf)
        return found, model.events_run - before

    cold, first = answer(shared)
    warm, second = answer(shared)
    assert np.array_equal(cold, warm)
    assert second == first - 30  # neither on the grid nor between is an event of B run again
    longer, _ = pieces(model, 77)
    from_states, whole = runs(model, longer, shared=shared, key="model/background/0")
    players = event_players(Extent(77, 2), (60,))
    coalitions = random_coalitions(players, 40)
    np.testing.assert_allclose(
        from_states.outputs(players, coalitions, math.inf),
        whole.outputs(players, coalitions, math.inf),
        rtol=0,
        atol=1e-13,
    )


def test_kept_background_states_give_way_when_room_is_short() -> None:
    """The least recently used grid goes; what is kept never exceeds the room."""
    states = (np.zeros((1, 4)),)
    shared = BackgroundStateCache(max_bytes=3 * (states[0].nbytes + 2 * OVERHEAD_BYTES) + 1)
    for key in "abc":
        shared.keep(key, (states,))
    shared.get("a")
    shared.keep("d", (states,))
    assert [key for key in "abcd" if shared.get(key)] == ["a", "c", "d"]


class Interrupting(PlainRnn):
    """Does something after so many batches."""

    def __init__(self, after: int, then: Callable[[], None]) -> None:
        super().__init__()
        self._left, self._then = after, then

    def _steps(self, batch: Cells, states: States) -> NDArray[np.float64]:
        self._left -= 1
        if self._left == 0:
            self._then()
        return super()._steps(batch, states)


def interrupted(
    then: Callable[[Deadline], None], after: int = 12
) -> tuple[PrefixStateExecution, Interrupting, Deadline]:
    deadline = Deadline()
    model = Interrupting(after, lambda: then(deadline))
    masker, _ = pieces(model)
    from_states, _ = runs(model, masker, deadline=deadline)
    return from_states, model, deadline


def run_out(deadline: Deadline) -> None:
    deadline.end = deadline.now()


@pytest.mark.parametrize(("then", "error"), [(run_out, DeadlinePassed), (Deadline.cancel, Cancelled)])
def test_an_expired_or_cancelled_request_stops_between_batches(
    then: Callable[[Deadline], None], error: type[Exception]
) -> None:
    """No batch begins once the time is up, or the caller gone."""
    from_states, model, _ = interrupted(then)
    players = event_players(Extent(LENGTH, 2), ())
    coalitions = random_coalitions(players, 4000)
    with pytest.raises(error):
        from_states.outputs(players, coalitions, math.inf)
    run = model.events_run
    with pytest.raises(error):
        from_states.outputs(players, coalitions, math.inf)
    assert model.events_run == run


def test_a_level_ends_with_its_share_of_the_time() -> None:
    """Its own end has passed while the request has time: nothing is computed, and the answer says why."""
    model = PlainRnn()
    masker, extent = pieces(model)
    from_states, _ = runs(model, masker)
    evaluator = Evaluator(from_states, [0], Link.IDENTITY, from_states.caller)
    rules = GameRules(2048, 100, np.zeros(1), seed=0, until=Deadline.now() - 1)
    played = play(evaluator, event_players(extent, ()), np.ones(1), rules)
    assert (played.reason, played.out_of_time) == (StopReason.NOT_COMPUTED, True)
    assert "time" in played.detail
    assert model.events_run == 0
