"""One explainer keeps the states of backgrounds for all its requests: they never change an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from asking import assert_alike, explainer, levels, loaded, named, numbers, question, run_whole
from matrix import BY_NAME, Case
from sequela.concurrency.deadline import Deadline
from sequela.explain.evaluate.prefix_states import execution
from sequela.explain.evaluate.prefix_states.state_cache import GRID_EVENTS
from sequela.explain.explanation import Explanation
from sequela.explain.ports import Model
from sequela.explain.request import GivenBackground
from sequela.explain.service import Explainer
from sweeps import size

LENGTHS = (17, 40, 77)
ROWS = 50


@pytest.fixture(autouse=True)
def share_however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "MAX_UNSHARED_WORK", 0)


def rows(case: Case, count: int, seed: int) -> dict[str, Any]:
    """A matrix of so many rows for every event input; static inputs of the average."""
    events = case.layout(count).events
    matrix = case.sample(count, seed)
    return {name: matrix[name] if name in events else value for name, value in case.average().items()}


def average_event(case: Case) -> GivenBackground:
    return GivenBackground(named(case.average()))


def matrix(case: Case) -> GivenBackground:
    return GivenBackground(named(rows(case, ROWS, seed=7)))


def matrix_with_its_mean(case: Case) -> GivenBackground:
    """The mean event is not the matrix's own, and is what stands before the first row."""
    return GivenBackground(named(rows(case, ROWS, seed=7)), mean(case))


def row_with_its_mean(case: Case) -> GivenBackground:
    """One row, for the last event alone; all others are another mean event."""
    return GivenBackground(named(case.average()), mean(case))


def mean(case: Case) -> Any:
    events = case.layout(1).events
    return named({name: value for name, value in case.average(seed=9).items() if name in events})


class Asked(NamedTuple):
    """One of the questions that share an explainer."""

    background: Callable[[Case], GivenBackground]
    length: int
    seed: int = 0


BACKGROUNDS = (average_event, matrix, matrix_with_its_mean, row_with_its_mean)
QUESTIONS = [Asked(background, length) for background in BACKGROUNDS for length in LENGTHS]


def answered(answering: Explainer, case: Case, model: Model, asked: Asked) -> Explanation:
    """A scan, which asks for many prefixes of B, then events, features and cells."""
    sent = question(
        model,
        case.sample(asked.length, asked.seed),
        asked.background(case),
        pruning_tolerance=0.03,
        max_coalitions=size(128, 256),
        target_standard_error=0.0,
        full_pruning_curve=True,
    )
    return answering.explain(sent, Deadline())


def all_answered(case: Case, questions: Sequence[Asked]) -> dict[Asked, Explanation]:
    """By one explainer, one after the other."""
    answering = explainer(loaded(case))
    return {asked: answered(answering, case, loaded(case), asked) for asked in questions}


def bits(answer: Explanation) -> list[Any]:
    """Everything that the model's numbers are in."""
    scores = [(target.raw_base_value, target.raw_score) for target in answer.targets]
    curve = answer.pruning.curve if answer.pruning else ()
    return [scores, curve, *(numbers(level) for level in levels(answer))]


@pytest.mark.parametrize(
    "name", ["gru", *(pytest.param(name, marks=pytest.mark.slow) for name in ("stacked_lstm", "account"))]
)
def test_kept_background_states_change_no_answer(name: str) -> None:
    """Four kinds of background, lengths on either side of the grid and of the matrix: each as good as the model run
    whole, and in whatever order they are asked, the same to the bit.
    """
    case = BY_NAME[name]
    forth = all_answered(case, QUESTIONS)
    whole = run_whole(loaded(case))
    for asked, answer in forth.items():
        wanted = answered(explainer(whole), case, whole, asked)
        assert_alike(answer, wanted, case.tolerance)
        assert answer.pruning is not None
        assert wanted.pruning is not None
        assert answer.pruning.pruned_events == wanted.pruning.pruned_events
        for one, other in zip(answer.pruning.curve, wanted.pruning.curve, strict=True):
            np.testing.assert_allclose(one.importance, other.importance, rtol=0, atol=case.tolerance)
    back = all_answered(case, QUESTIONS[::-1])
    mixed = all_answered(case, [QUESTIONS[place * 5 % len(QUESTIONS)] for place in range(len(QUESTIONS))])
    for asked in QUESTIONS:
        assert bits(back[asked]) == bits(forth[asked]) == bits(mixed[asked])


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_second_sequence_finds_the_background_states(
    background: Callable[[Case], GivenBackground],
) -> None:
    """Of the same length, by the same explainer: it runs fewer events than it would alone, and says the same."""
    case, second = BY_NAME["gru"], Asked(background, 77, seed=5)
    alone = all_answered(case, [second])[second]
    after = all_answered(case, [Asked(background, 77), second])[second]
    assert bits(after) == bits(alone)
    assert after.cost.model_events <= alone.cost.model_events - 4 * GRID_EVENTS


def test_a_matrix_is_kept_for_its_length_alone() -> None:
    """Its rows are counted from the last event: another length finds nothing, an average event's does."""
    case = BY_NAME["gru"]
    for background, less in ((matrix, False), (average_event, True)):
        second = Asked(background, 77)
        alone = all_answered(case, [second])[second]
        after = all_answered(case, [Asked(background, 60), second])[second]
        assert (after.cost.model_events < alone.cost.model_events) == less


@pytest.mark.parametrize("name", ["fixed_left", pytest.param("fixed_pad_value", marks=pytest.mark.slow)])
def test_padding_is_the_sequences_own(name: str) -> None:
    """Sequences that fill a fixed length, and ones that are padded to it, do not share states of B."""
    case = BY_NAME[name]
    questions = [Asked(background, length) for background in BACKGROUNDS for length in (8, 5, 7, 3)]
    forth, back = all_answered(case, questions), all_answered(case, questions[::-1])
    whole = run_whole(loaded(case))
    for asked in questions:
        assert_alike(forth[asked], answered(explainer(whole), case, whole, asked), case.tolerance)
        assert bits(back[asked]) == bits(forth[asked])
