"""Masks between events, such as torch's src_mask: no caller has one, and ones in its place are another model."""

from __future__ import annotations

import numpy as np
import pytest
from field.asking import Explain, refusal
from field.parts import WIDTH, built, constant, node, pooled, weights
from small_onnx import BOOL, FLOAT, Shape, value

SQUARES: dict[str, tuple[int, Shape, Shape]] = {
    "added": (FLOAT, ("l", "l"), ("n", "l", WIDTH)),
    "added, no names": (FLOAT, (None, None), (None, None, WIDTH)),
    "added, eight events": (FLOAT, (8, 8), ("n", 8, WIDTH)),
    "added, one sequence": (FLOAT, (8, 8), (1, 8, WIDTH)),
    "kept where true": (BOOL, ("l", "l"), ("n", "l", WIDTH)),
    "kept, no names": (BOOL, (None, None), (None, None, WIDTH)),
    "for each sequence": (BOOL, ("n", "l", "l"), ("n", "l", WIDTH)),
}


SOME = {"added", "kept where true", "for each sequence"}
"""One of each kind; the others are for the slow run."""


def attending(kind: int, mask: Shape, events: Shape) -> bytes:
    """Attention under a mask, then a mean over the events."""
    hidden = (
        node("Add", ["energy", "attn_mask"], "masked")
        if kind == FLOAT
        else node("Where", ["attn_mask", "energy", "hidden"], "masked")
    )
    nodes = [
        node("MatMul", ["x", "query"], "asked"),
        node("Transpose", ["x"], "keys", perm=[0, 2, 1]),
        node("MatMul", ["asked", "keys"], "energy"),
        hidden,
        node("Softmax", ["masked"], "weight", axis=-1),
        node("MatMul", ["weight", "x"], "context"),
    ]
    mean, stored = pooled("context")
    return built(
        [*nodes, *mean],
        [*stored, constant("query", weights(WIDTH, WIDTH)), constant("hidden", -1e9)],
        inputs=[value("x", FLOAT, events), value("attn_mask", kind, mask)],
    )


# Before: ones for the whole square. A causal model was explained as one that sees the future, with MASK_NOT_PROVEN.
@pytest.mark.parametrize(
    "name", [each if each in SOME else pytest.param(each, marks=pytest.mark.slow) for each in SQUARES]
)
def test_a_mask_between_events_is_refused(explain: Explain, name: str) -> None:
    """It is named, and so is the way out."""
    said = refusal(explain, attending(*SQUARES[name]), np.ones((8, WIDTH), np.float32))
    assert "'attn_mask'" in said
    assert "mask between events" in said
    assert "Export the model so that it makes this mask itself" in said


@pytest.mark.parametrize("lengths", [(8, 8), pytest.param(("l", "l"), marks=pytest.mark.slow)])
def test_a_schema_does_not_make_it_a_mask_of_events(explain: Explain, lengths: tuple[int | str, ...]) -> None:
    """A trial tells, whatever the schema says."""
    schema = (
        '{"inputs": [{"name": "x", "role": "events", "width": 3}, {"name": "attn_mask", "role": "mask"}]}'
    )
    content = attending(FLOAT, lengths, ("n", lengths[0], WIDTH))
    sequence = np.ones((8, WIDTH), np.float32)
    assert "mask between events" in refusal(explain, content, sequence, schema=schema)


def test_a_mask_of_numbers_beside_numbers_is_taken(explain: Explain) -> None:
    """Which values were observed (n, l, 3), as GRU-D takes it, has the events' own axes and is sent with them."""
    mean, stored = pooled("seen")
    content = built(
        [node("Mul", ["x", "mask"], "seen"), *mean],
        stored,
        inputs=[value("x", FLOAT, ("n", 3, WIDTH)), value("mask", FLOAT, ("n", 3, WIDTH))],
    )
    both = {"x": np.ones((3, WIDTH), np.float32), "mask": np.ones((3, WIDTH), np.float32)}
    background = {name: np.zeros(WIDTH) for name in both}
    assert explain(content, both, background=background).length == 3
