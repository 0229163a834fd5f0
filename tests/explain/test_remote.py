"""What explaining does differently where rows are money: rows are sent once, calls again, samples are solved harder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from asking import Arrays, assert_alike, explainer, loaded, named, numbers, one_worker, question
from matrix import BY_NAME, Case
from nearby import Nearby, failing
from numpy.typing import NDArray
from sequela.adapters.endpoints.failures import RetryableError
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled, SequelaError, Unavailable
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.remote import RemoteScorer, row_digests
from sequela.explain.explanation import Explanation, LevelExplanation, StopReason
from sequela.explain.options import Estimator, Level
from sequela.explain.ports import Observers, PaddingRows
from sequela.explain.request import GivenSequence, NamedModel, ScoreRequest
from sequela.explain.service import Explainer
from sequela.timeshap.cells import Cells
from sequela.timeshap.coalitions import FEWEST_TO_TRUST

GRU = BY_NAME["gru"]
ACCOUNT = BY_NAME["account"]
SEQUENCE, BACKGROUND = GRU.sample(20), GRU.average()
INPUT = GRU.inputs[0].name
ROWS_ARE_DEAR = 1.0
"""Seconds of a row."""


def explained(model: Any, sequence: Arrays = SEQUENCE, timeout: float = 60.0, **options: Any) -> Explanation:
    asked = question(model, sequence, BACKGROUND, **{"pruning_tolerance": 0.0, **options})
    return explainer(model).explain(asked, Deadline(timeout))


def padded(case: Case, length: int, pads: int, seed: int = 0) -> Arrays:
    """A sequence with so many steps more than real events, at the side that the model pads, and what tells."""
    sequence = dict(case.sample(length + pads, seed))
    real = np.arange(length + pads) >= pads if case.padding == "left" else np.arange(length + pads) < length
    for each in case.inputs:
        if each.role == "mask":
            sequence[each.name] = real.astype(each.dtype)
        elif each.role == "length":
            sequence[each.name] = np.array(length, each.dtype)
    return sequence


def test_attributions_are_those_of_the_model_itself() -> None:
    """Whoever runs it: the same sample has the same values, to the noise of other batches."""
    own = explained(loaded(GRU), max_coalitions=512, estimator=Estimator.REGRESSION)
    served = explained(Nearby(loaded(GRU)), max_coalitions=512, estimator=Estimator.REGRESSION)
    assert_alike(served, own, 1e-6)


def test_equal_rows_are_sent_once() -> None:
    """Where X equals B nothing is switched: of all coalitions of 20 events only those of the 3 others differ."""
    events = np.repeat(BACKGROUND[INPUT][None], 20, axis=0)
    events[[4, 11, 19]] = SEQUENCE[INPUT][[4, 11, 19]]
    model = Nearby(loaded(GRU))
    answer = explained(model, {INPUT: events}, levels=(Level.EVENT,), max_coalitions=2048)
    rows = [row.tobytes() for batch in model.batches for row in batch.events[0]]
    assert len(rows) == len(set(rows)) == 2**3
    assert answer.cost.endpoint_rows == 2**3
    own = explained(loaded(GRU), {INPUT: events}, levels=(Level.EVENT,), max_coalitions=2048)
    assert own.levels.get("event") is not None
    assert answer.levels.get("event") is not None
    for one, other in zip(answer.levels["event"].attributions, own.levels["event"].attributions, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-6)


def test_no_row_is_sent_twice_over_a_whole_explanation() -> None:
    """Scores, scan and levels share what was asked before. Only the sequence is sent again, with 32 rows or more."""
    model = Nearby(loaded(GRU))
    sequence = GRU.sample(9)
    explained(model, sequence, pruning_tolerance=0.01)
    witness = sequence[INPUT].tobytes()
    sent = [[row.tobytes() for row in batch.events[0]] for batch in model.batches]
    rows = [row for batch in sent for row in batch if row != witness]
    assert len(rows) == len(set(rows))
    assert all(batch.count(witness) <= 1 for batch in sent)
    assert sum(map(len, sent)) - len(rows) <= 1 + len(rows) / 32


def test_what_calls_brought_before_one_failed_stays_known() -> None:
    """Rows of three calls, of which the second is refused: asked again, those of the first are not sent again."""

    def refuse(number: int, batch: Cells) -> None:
        del batch
        if number == 2:
            raise SequelaError("ENDPOINT_REFUSED", "no")

    model = Nearby(loaded(GRU), refuse, max_batch_rows=8)
    batch = Cells((np.stack([GRU.sample(5, seed)[INPUT] for seed in range(24)]),), ())
    padding = PaddingRows((batch.events[0][0, :0],), (batch.events[0][0, :0],))
    caller = ModelCaller(Deadline(), one_worker(), Observers(()))
    scorer = RemoteScorer.of(model, caller, Cells((batch.events[0][0],), ()), padding, 0)

    def build(rows: NDArray[np.intp]) -> Cells:
        return Cells((batch.events[0][rows],), ())

    with pytest.raises(SequelaError, match="no"):
        scorer.outputs(row_digests(batch), build, np.inf)
    found = scorer.outputs(row_digests(batch), build, np.inf)
    assert [len(each.events[0]) for each in model.batches] == [8, 8, 8, 8]
    np.testing.assert_allclose(found, loaded(GRU).run(batch, padding, 0), atol=1e-6)
    assert (caller.cost().endpoint_rows, caller.cost().model_rows) == (32, 24)


class NeverIterated(dict[bytes, NDArray[np.float64]]):
    """Iterating would fail if a call that was given up adds an output meanwhile."""

    def __iter__(self) -> Any:
        raise RuntimeError("dictionary changed size during iteration")

    values = items = keys = __iter__


def test_too_many_known_outputs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """And then sent again. Late calls may add outputs at any time, so they are counted without looking at them."""
    model, row = Nearby(loaded(GRU)), Cells((SEQUENCE[INPUT][None],), ())
    caller = ModelCaller(Deadline(), one_worker(), Observers(()))
    nothing = PaddingRows((SEQUENCE[INPUT][:0],), (SEQUENCE[INPUT][:0],))
    scorer = RemoteScorer.of(model, caller, Cells((SEQUENCE[INPUT],), ()), nothing, 0)
    scorer = replace(scorer, known=NeverIterated())
    for most, sent in ((2, 1), (2, 1), (1, 2)):
        monkeypatch.setattr("sequela.explain.evaluate.remote.MAX_KNOWN_OUTPUTS", most * len(GRU.targets) - 1)
        scorer.outputs(row_digests(row), lambda _: row, np.inf)
        assert len(model.batches) == sent


def test_a_level_has_fewer_coalitions_by_default() -> None:
    """The endpoint's default holds where a question does not say, and the answer states it."""
    served = explained(Nearby(loaded(GRU), max_coalitions=256), target_standard_error=0.0)
    assert served.options.max_coalitions == 256
    assert served.levels.get("event") is not None
    assert served.levels["event"].quality.coalitions == 256
    assert explained(Nearby(loaded(GRU)), max_coalitions=300).options.max_coalitions == 300


def test_small_games_are_sampled_before_they_are_played_whole() -> None:
    """2^12 rows are not asked for at once where fewer reach the target; in this process they are."""
    options = {"levels": (Level.EVENT,), "target_standard_error": 0.05}
    served = explained(Nearby(loaded(GRU)), GRU.sample(12), max_coalitions=1 << 12, **options)
    own = explained(loaded(GRU), GRU.sample(12), **options)
    assert served.levels.get("event") is not None
    assert own.levels.get("event") is not None
    assert own.levels["event"].quality.coalitions == 2**12
    assert served.levels["event"].quality.stop_reason is StopReason.TARGET
    assert served.levels["event"].quality.coalitions == FEWEST_TO_TRUST < 2**12


@pytest.mark.parametrize("estimator", Estimator)
def test_no_target_is_trusted_to_a_handful_of_rows(estimator: Estimator) -> None:
    """However large the target, from 1,024 coalitions on: rows are money, being wrong is more.
    A budget below that is kept, and said to be what ended the level.
    """
    options: dict[str, Any] = {
        "levels": (Level.EVENT,),
        "target_standard_error": 1e6,
        "estimator": estimator,
    }
    model = Nearby(loaded(GRU))
    found = explained(model, GRU.sample(30), **options).levels.get("event")
    assert found is not None
    assert (found.quality.stop_reason, found.quality.coalitions) == (StopReason.TARGET, FEWEST_TO_TRUST)
    small = explained(Nearby(loaded(GRU)), GRU.sample(30), max_coalitions=1000, **options).levels.get("event")
    assert small is not None
    assert (small.quality.stop_reason, small.quality.coalitions) == (StopReason.BUDGET, 1000)


def test_calls_that_are_lost_are_sent_again_and_counted() -> None:
    """Two of the first three calls are lost: the answer is the same, its cost has all of them."""
    plain, unlucky = Nearby(loaded(GRU)), Nearby(loaded(GRU), failing(2))
    wanted, found = explained(plain), explained(unlucky)
    assert numbers(found.levels.get("event")) == numbers(wanted.levels.get("event"))
    assert found.cost.endpoint_calls == wanted.cost.endpoint_calls + 2
    assert found.cost.endpoint_rows == wanted.cost.endpoint_rows + 2 * 2
    assert found.cost.model_rows == wanted.cost.model_rows


def test_attempts_are_bounded() -> None:
    """A call is sent so often and no more; then its error is told as it is."""
    model = Nearby(loaded(GRU), failing(1000), attempts=4)
    with pytest.raises(Unavailable) as caught:
        explained(model)
    assert (caught.value.reason, caught.value.retry_after) == ("ENDPOINT_UNAVAILABLE", 1.0)
    assert len(model.batches) == 4


def test_other_errors_are_not_sent_again() -> None:
    """What the endpoint refuses once it would refuse again."""

    def refuse(number: int, batch: Cells) -> None:
        raise SequelaError("ENDPOINT_REFUSED", f"call {number} of {len(batch.events)}")

    model = Nearby(loaded(GRU), refuse)
    with pytest.raises(SequelaError, match="call 1 of 1"):
        explained(model)


def test_without_time_to_send_again_the_error_is_told() -> None:
    """Not the deadline is at fault, but what took the time."""
    deadline, lose = Deadline(60.0), failing(1000)

    def late(number: int, batch: Cells) -> None:
        if number == 2:
            deadline.shorten(0.0)
        lose(number, batch)

    model = Nearby(loaded(GRU), late, attempts=100)
    with pytest.raises(Unavailable):
        explainer(model).explain(question(model, SEQUENCE, BACKGROUND), deadline)
    assert len(model.batches) == 2


def test_a_caller_who_leaves_stops_the_rows() -> None:
    """No call begins after that, not even one that waits to be sent again."""
    deadline = Deadline(60.0)

    def leave(number: int, batch: Cells) -> None:
        del batch
        if number == 3:
            deadline.cancel()
            raise RetryableError(Unavailable("ENDPOINT_UNAVAILABLE", "lost"))

    model = Nearby(loaded(GRU), leave)
    with pytest.raises(Cancelled):
        explainer(model).explain(question(model, SEQUENCE, BACKGROUND), deadline)
    assert len(model.batches) == 3


def test_unpinned_answers_are_kept_and_never_reused() -> None:
    """Two equal questions about a model that may change are two answers with two names; pinned, they are one."""
    for pinned, rows in ((False, 2), (True, 1)):
        model = Nearby(loaded(GRU), pinned=pinned)
        caller = explainer(model)
        asked = question(model, SEQUENCE, BACKGROUND, levels=(Level.EVENT,))
        first, second = caller.explain(asked, Deadline()), caller.explain(asked, Deadline())
        assert model.rows_sent == rows * first.cost.endpoint_rows
        assert (first.name == second.name) is pinned
        assert numbers(first.levels.get("event")) == numbers(second.levels.get("event"))


def test_the_usual_estimator_need_not_be_named() -> None:
    """A model of this process has one: whether it is named or not, it is one question with one answer. Behind an
    endpoint it is chosen by what rows take, so that naming it asks for something else; another one does anywhere.
    """
    for model, alike in ((loaded(GRU), True), (Nearby(loaded(GRU)), False)):
        caller = explainer(model)

        def asked(caller: Explainer = caller, model: Any = model, **options: Any) -> Explanation:
            return caller.explain(
                question(model, SEQUENCE, BACKGROUND, levels=(Level.EVENT,), **options), Deadline()
            )

        plain, same = asked(), asked(estimator=Estimator.CONTROL_VARIATE if alike else Estimator.REGRESSION)
        other = asked(estimator=Estimator.REGRESSION if alike else Estimator.CONTROL_VARIATE)
        assert (same.name == plain.name) is same.cost.cached is alike
        assert other.name not in (plain.name, same.name)
        assert not other.cost.cached


def test_the_control_variate_is_chosen_where_rows_are_dear() -> None:
    """Cheap rows are left to regression. The answer says which, and asks for it again. Models of this process use the
    control variate with kernels that are known in advance.
    """
    events = {"levels": (Level.EVENT,)}
    dear = explained(Nearby(loaded(GRU), row_seconds=ROWS_ARE_DEAR), timeout=3600.0, **events)
    assert dear.options.estimator is Estimator.CONTROL_VARIATE
    assert dear.levels.get("event") is not None
    assert dear.levels["event"].quality.estimator is Estimator.CONTROL_VARIATE
    cheap = explained(Nearby(loaded(GRU), row_seconds=1e-7), **events)
    assert cheap.options.estimator is Estimator.REGRESSION
    assert explained(loaded(GRU), **events).options.estimator is Estimator.CONTROL_VARIATE
    again = explained(
        Nearby(loaded(GRU)),
        estimator=dear.options.estimator,
        max_coalitions=dear.levels["event"].quality.coalitions,
        target_standard_error=0.0,
        **events,
    )
    assert numbers(again.levels.get("event")) == numbers(dear.levels.get("event"))


def test_the_control_variate_needs_fewer_rows() -> None:
    """For the same target of the features of an account: about half the rows or fewer, and the attributions agree
    within their errors. Additivity stays exact, exact levels have no estimator.
    """
    sequence, background = ACCOUNT.sample(12), ACCOUNT.average()

    def rows(estimator: Estimator) -> tuple[int, Explanation]:
        model = Nearby(loaded(ACCOUNT), max_batch_rows=256)
        options: dict[str, Any] = {"target_standard_error": 0.0005, "max_coalitions": 1 << 15}
        asked = question(model, sequence, background, pruning_tolerance=0.0, **options)
        asked = replace(asked, options=replace(asked.options, estimator=estimator))
        answer = explainer(model).explain(asked, Deadline())
        return model.rows_sent, answer

    plain, wanted = rows(Estimator.REGRESSION)
    fewer, found = rows(Estimator.CONTROL_VARIATE)
    assert fewer < 0.67 * plain
    for level, other in (
        (found.levels.get("event"), wanted.levels.get("event")),
        (found.levels.get("feature"), wanted.levels.get("feature")),
    ):
        assert level is not None
        assert other is not None
        assert level.quality.additivity_residual < 1e-12
        for one, two in zip(level.attributions, other.attributions, strict=True):
            error = np.hypot(one.standard_errors, two.standard_errors)
            assert np.all(np.abs(np.subtract(one.values, two.values)) <= 5 * error + 1e-6)


def test_scores_of_one_length_go_in_one_call() -> None:
    """What-if: 40 sequences of two lengths, one of them sent twice, take a call for each length."""
    model = Nearby(loaded(GRU))
    drawn = [GRU.sample(length, seed) for seed in range(20) for length in (5, 7)] + [GRU.sample(5, 0)]
    given = [GivenSequence(named(each)) for each in drawn]
    found = explainer(model).score(ScoreRequest(NamedModel(model.info.name), tuple(given)), Deadline())
    own = explainer(loaded(GRU)).score(ScoreRequest(NamedModel(model.info.name), tuple(given)), Deadline())
    np.testing.assert_allclose(found.values, own.values, atol=1e-6)
    assert [len(batch.events[0]) for batch in model.batches] == [20, 20]
    assert (found.cost.endpoint_rows, found.cost.endpoint_calls) == (40, 2)


@pytest.mark.slow
@pytest.mark.parametrize("target", [1.5e-4, 7e-5])
def test_the_control_variate_asks_for_no_more_than_it_needs(target: float) -> None:
    """Its errors fall faster than the square root of the sample, so that no far look ahead is right: half the rows
    would not have reached the target.
    """
    options: dict[str, Any] = {"levels": (Level.EVENT,), "estimator": Estimator.CONTROL_VARIATE}

    def played(most: int, target: float) -> LevelExplanation:
        answer = explained(Nearby(loaded(GRU)), max_coalitions=most, target_standard_error=target, **options)
        assert answer.levels.get("event") is not None
        return answer.levels.get("event")

    def largest(level: LevelExplanation) -> float:
        return max(max(each.standard_errors) for each in level.attributions)

    found = played(1 << 13, target)
    assert found.quality.stop_reason is StopReason.TARGET
    assert largest(found) <= target < largest(played(found.quality.coalitions // 2, 0.0))


PADDED = [BY_NAME[name] for name in ("masked", "masked64", "lengths", "fixed_left", "fixed_right")]


@pytest.mark.parametrize("case", PADDED, ids=str)
def test_scores_of_padded_sequences(case: Case) -> None:
    """What-if: padded as they come, to the length that a model fixes, or not at all, sequences score as alone."""
    drawn = [padded(case, 5, 0), padded(case, 5, 2), padded(case, 5, 3), padded(case, 5, 2, seed=1)]
    given = [GivenSequence(named(each)) for each in drawn]
    name = NamedModel(loaded(case).info.name)
    found = explainer(Nearby(loaded(case))).score(ScoreRequest(name, tuple(given)), Deadline())
    alone = [explainer(loaded(case)).score(ScoreRequest(name, (each,)), Deadline()).values for each in given]
    np.testing.assert_allclose(found.values, np.concatenate(alone), atol=1e-6)


def test_below_the_minimum_score_one_row_is_sent() -> None:
    """Score gating costs one row; above it, f(X) is not asked for again."""
    gated = Nearby(loaded(GRU))
    assert not explained(gated, minimum_score=2.0).explained
    assert gated.rows_sent == 1
    plain, above = Nearby(loaded(GRU)), Nearby(loaded(GRU))
    explained(plain)
    explained(above, minimum_score=-2.0)
    assert above.rows_sent == plain.rows_sent


def test_a_small_game_leaves_something_where_its_whole_does_not_fit() -> None:
    """Asked to be exact, with time for a part of the coalitions: a sample, and how sure it is."""
    deadline = Deadline(60.0)

    def late(number: int, batch: Cells) -> None:
        del batch
        if number == 8:
            deadline.hurry(deadline.now())

    model = Nearby(loaded(GRU), late, max_batch_rows=64)
    asked = question(
        model,
        GRU.sample(10),
        BACKGROUND,
        pruning_tolerance=0.0,
        levels=(Level.EVENT,),
        target_standard_error=0.0,
    )
    level = explainer(model).explain(asked, deadline).levels.get("event")
    assert level is not None
    assert level.quality.stop_reason is StopReason.DEADLINE
    assert 128 <= level.quality.coalitions < 2**10
    assert level.quality.largest_standard_error > 0
