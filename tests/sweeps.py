"""Sweeps over models and random examples: the fast tests take one of each kind or a few, `make test-all` takes all."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest
from hypothesis import settings
from matrix import BY_NAME, Case

ONE_OF_A_KIND = frozenset(
    {
        *(
            "gru",
            "rnn",
            "stacked_lstm",
            "learned_start",
            "account",
            "keras_gru",
            "bidirectional_lstm",
            "keras_loop",
        ),
        *("transformer", "conv", "classes", "per_event", "per_event_right", "constant"),
        *("multi_input", "masked", "lengths", "fixed_left", "fixed_lengths", "batch_four", "metadata_names"),
        *("targets64", "static64"),
    }
)
ONE_OF_A_FORM = ONE_OF_A_KIND - {
    *("rnn", "stacked_lstm", "learned_start", "keras_gru", "bidirectional_lstm", "keras_loop", "conv"),
}
"""One of each form of inputs and outputs, whatever the model does with them."""

ONE_OF_EACH_STATE = frozenset({"gru", "stacked_lstm", "per_event", "fixed_left", "multi_input"})
"""Of models that run from states: with one state and with several, an output for each event, padding, static inputs."""


def examples(count: int) -> int:
    """Returns how many random examples a test tries: `count` in `make test-all`, and a tenth of it in `make test`."""
    return max(5, count * settings().max_examples // 100)


def size(fast: int, whole: int) -> int:
    """Returns how large a test is: `whole` in `make test-all`, and `fast` in `make test`."""
    return whole if settings().max_examples >= 100 else fast


def first_few(cases: Iterable[Any], count: int) -> list[Any]:
    """Returns the cases as parameters, where all go the same way through the code; all but a few are slow tests."""
    return [
        pytest.param(case, marks=() if place < count else pytest.mark.slow)
        for place, case in enumerate(cases)
    ]


def few_of(names: Iterable[str], *fast: str) -> list[Any]:
    """Returns the names as parameters; those that are not among the `fast` ones are slow tests."""
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in names]


def one_of_a_kind(cases: Iterable[Case]) -> list[Any]:
    """Returns the cases as parameters; those that resemble another one are slow tests."""
    return _slow_but(ONE_OF_A_KIND, cases)


def one_of_a_form(cases: Iterable[Case]) -> list[Any]:
    """Returns the cases as parameters, for what does not depend on how a model computes; most are slow tests."""
    return _slow_but(ONE_OF_A_FORM, cases)


def one_of_each_state(cases: Iterable[Case]) -> list[Any]:
    """Returns the cases as parameters, for what depends only on how states are kept; most are slow tests."""
    return _slow_but(ONE_OF_EACH_STATE, cases)


def _slow_but(fast: Container[str], cases: Iterable[Case]) -> list[Any]:
    return [pytest.param(case, marks=() if case.name in fast else pytest.mark.slow) for case in cases]


def cases_asked_for(request: pytest.FixtureRequest, *names: str) -> list[Case]:
    """Returns the cases that tests of the fixture's module take in this run, and those named, so that a server of the
    module loads no other model.
    """
    found = {name: BY_NAME[name] for name in names}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec"):
            case = item.callspec.params.get("case")
            if isinstance(case, Case):
                found[case.name] = case
    return list(found.values())
