"""What the server believes of the numbers that an engine returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.upload_engines.engine_client import EngineClient
from sequela.adapters.upload_engines.engine_model import EngineCalls, EngineRecurrence
from sequela.adapters.upload_engines.model_answers import arrays_answer
from sequela.adapters.upload_engines.quarantine import Quarantine
from sequela.errors import DoesNotFit
from sequela.timeshap.cells import Cells

SOURCE = ModelBytes(b"onnx", b"", "onnx", "schema")
ROWS = 4
FIRST = (np.zeros((1, 3)), np.zeros((1, 2), np.float32))
STATES = (np.ones((ROWS, 3)), np.ones((ROWS, 2), np.float32))
BATCH = Cells((np.zeros((ROWS, 1, 2)),), ())


class SameAnswer:
    """A pool whose engines return the same arrays to every question."""

    def __init__(self, *arrays: NDArray[Any]) -> None:
        self._answer = arrays_answer(arrays)

    def call(self, *_: Any) -> bytes:
        return self._answer

    def retire(self, affinity: str) -> None:
        """Has no engines to end."""


def recurrence(*arrays: NDArray[Any]) -> EngineRecurrence:
    pool: Any = SameAnswer(*arrays)
    client = EngineClient(pool, Quarantine(600.0), 60.0, 20.0)
    return EngineRecurrence(EngineCalls(client, SOURCE), (), FIRST, outputs=1)


def test_states_and_scores_of_the_right_shape_are_used() -> None:
    """As many rows as were asked for, and the types of the states before the first event."""
    for found, sent in zip(recurrence(*STATES).advance(BATCH, STATES), STATES, strict=True):
        assert np.array_equal(found, sent)
    assert recurrence(np.full((ROWS, 1), 0.5)).finish(BATCH, STATES).tolist() == [[0.5]] * ROWS


@pytest.mark.parametrize(
    "arrays",
    [
        [each[:-1] for each in STATES],
        [each.repeat(2, axis=0) for each in STATES],
        [STATES[0][:, :-1], STATES[1]],
        [each.astype(np.float64) for each in STATES],
        STATES[:1],
        STATES[::-1],
        [],
    ],
    ids=["a row less", "more rows", "a column less", "another type", "one less", "in another order", "none"],
)
def test_states_of_another_shape_are_refused(arrays: list[NDArray[Any]]) -> None:
    """They would become rows of other sequences."""
    with pytest.raises(DoesNotFit) as refused:
        recurrence(*arrays).advance(BATCH, STATES)
    assert refused.value.reason == "ENGINE_ANSWER_INVALID"


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(score: float) -> None:
    """A model that gives them fails in its engine, so one that arrives was forged."""
    scores = np.array([[0.5]] * (ROWS - 1) + [[score]])
    with pytest.raises(DoesNotFit) as refused:
        recurrence(scores).finish(BATCH, STATES)
    assert refused.value.reason == "ENGINE_ANSWER_INVALID"
