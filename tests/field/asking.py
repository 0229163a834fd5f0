"""Explains small models on the real server, and compares the answers with the truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from field.parts import WIDTH
from field.truth import Feed, Truth, alone, truth
from numpy.typing import NDArray
from sequela_client import Explanation, Sequela, SequelaError

FLOAT32 = 1e-5
SEQUENCE = np.random.default_rng(3).normal(size=(5, WIDTH)).astype(np.float32)
"""Five events of three columns."""


class Explain(Protocol):
    """Explains one sequence with a model file, with every coalition of events and without pruning."""

    def __call__(
        self, content: bytes, sequence: Any, background: Any = None, schema: str = ""
    ) -> Explanation: ...


def explaining(sequela: Sequela, folder: str) -> Explain:
    """Returns a function that writes the model and its schema to a folder, and explains."""

    def explain(
        content: bytes, sequence: Any, background: Any = None, schema: str = "", **options: Any
    ) -> Explanation:
        path = Path(folder, "model.onnx")
        path.write_bytes(content)
        if schema:
            path.with_name("schema.json").write_text(schema)
        return sequela.explain(
            sequence,
            model=path,
            background=np.zeros(np.shape(sequence)[-1]) if background is None else background,
            levels=["event"],
            pruning_tolerance=0,
            target_standard_error=0,
            **options,
        )

    return explain


def assert_true(answer: Explanation, wanted: Truth, tolerance: float = FLOAT32) -> None:
    """Asserts the base value, the score and the attribution of every event, oldest first."""
    found = [each.value for each in sorted(answer.events, key=lambda event: event.t)]
    assert answer.base_value == pytest.approx(wanted.base, abs=tolerance)
    assert answer.score == pytest.approx(wanted.score, abs=tolerance)
    np.testing.assert_allclose(found, wanted.events, atol=tolerance, rtol=0)


def refusal(explain: Explain, content: bytes, sequence: NDArray[Any] = SEQUENCE, **given: Any) -> str:
    """Returns the message with which the server refuses to explain. Fails if it explains."""
    with pytest.raises(SequelaError) as caught:
        explain(content, sequence, **given)
    return str(caught.value)


def assert_right_or_refused(
    explain: Explain,
    content: bytes,
    words: str,
    sequence: NDArray[Any] = SEQUENCE,
    feed: Feed = alone,
    schema: str = "",
    background: NDArray[Any] | None = None,
) -> None:
    """Asserts that the answer is the truth, or that the message of the refusal contains one of these words."""
    answer = or_refused(lambda: explain(content, sequence, background=background, schema=schema), words)
    if answer is not None:
        assert_true(answer, truth(content, sequence, background, feed))


def or_refused(ask: Callable[[], Explanation], words: str) -> Explanation | None:
    """Returns the explanation, or None if it is refused with a message that contains one of these words."""
    try:
        return ask()
    except SequelaError as error:
        if not re.search(words, str(error), re.IGNORECASE):
            pytest.fail(f"refused, but not helpfully: {error}")
    return None


def beside(name: str, values: Any) -> Feed:
    """Returns a feed of `x` and of one more input, whose values for a batch of one are computed from the number of
    events.
    """

    def feed(sequence: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        return {"x": sequence[None].astype(np.float32), name: values(len(sequence))}

    return feed
