"""Computes the true attributions of a model: onnxruntime runs every coalition of events alone, never in a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from brute_force import Arrays, Player, attributions
from numpy.typing import NDArray
from one_thread import session
from sequela_client import Explanation, Sequela

FLOAT32 = 1e-5
SEQUENCE = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
"""Five events of three columns, as the public cases have them."""


@dataclass(frozen=True)
class Truth:
    """The base value, the score, and the attribution of every event, oldest first."""

    base: float
    score: float
    events: NDArray[np.float64]


def truth(content: bytes, output: str, column: int = 0, sequence: NDArray[Any] = SEQUENCE) -> Truth:
    """Computes exact attributions for one number of an output, with absent events at 0."""
    running = session(content)
    (name,) = (item.name for item in running.get_inputs())

    def one(row: NDArray[Any]) -> float:
        (found,) = running.run([output], {name: row[None]})
        return float(np.asarray(found, dtype=np.float64).reshape(-1)[column])

    def scores(arrays: Arrays) -> NDArray[np.float64]:
        return np.array([[one(row)] for row in arrays[name]])

    length, width = sequence.shape
    players = [Player(("event", at), frozenset((name, at, c) for c in range(width))) for at in range(length)]
    found = attributions(scores, {name: sequence}, {name: np.zeros_like(sequence)}, players)
    return Truth(float(found.base[0]), float(found.score[0]), found.values[:, 0])


def explained(
    sequela: Sequela, content: bytes, folder: Any, schema: bytes = b"", sequence: NDArray[Any] = SEQUENCE
) -> Explanation:
    """Explains the events on the real server, with a background of zeros and without pruning. It also scores the
    sequence, and asserts that the score is the explained one.
    """
    path = folder / "model.onnx"
    path.write_bytes(content)
    if schema:
        path.with_name("schema.json").write_bytes(schema)
    return explained_as_scored(sequela, path, sequence)


def explained_as_scored(sequela: Sequela, model: Any, sequence: NDArray[Any]) -> Explanation:
    """Explains the events with a background of zeros and without pruning, and asserts that Score returns the score that
    was explained.
    """
    answer = sequela.explain(
        sequence,
        model=model,
        background=np.zeros(sequence.shape[1]),
        levels=["event"],
        pruning_tolerance=0,
        target_standard_error=0,
    )
    scored = sequela.score([sequence], model=model)
    alone = dict(zip(scored.targets, scored.values[0], strict=True))
    for target in answer.targets:
        np.testing.assert_allclose(target.score, alone[target.name], atol=1e-6, err_msg=target.name)
    return answer


def assert_true(answer: Explanation, wanted: Truth, target: str = "", tolerance: float = FLOAT32) -> None:
    """Asserts the base value, the score and the attribution of every event, for a named target or the only one."""
    answer = answer.target(target or answer.targets[0].name)
    found = [each.value for each in sorted(answer.events, key=lambda event: event.t)]
    assert (answer.base_value, answer.score) == pytest.approx((wanted.base, wanted.score), abs=tolerance)
    np.testing.assert_allclose(found, wanted.events, atol=tolerance, rtol=0)


def reasons(answer: Explanation) -> set[str]:
    """Returns the reasons of the warnings."""
    return {each.reason for each in answer.warnings}
