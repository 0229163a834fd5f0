"""Masks that mean the opposite, or are added: 1 for every event is not what they take."""

from __future__ import annotations

import numpy as np
import pytest
from field import models
from field.asking import SEQUENCE, Explain, assert_right_or_refused, assert_true, beside, refusal
from field.parts import built, constant, node, weights
from field.truth import Feed, truth
from numpy.typing import NDArray
from small_onnx import BOOL, FLOAT, value

LEFT_OUT = {"mask": BOOL, "ignore": BOOL, "attn_mask": FLOAT}
"""By these names nobody knows that true marks what is left out. torch's key_padding_mask is of this kind, and
mlwithme/TransformerTranslation#2 asks about it.
"""


def padded(sequence: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Eight steps; those after the events are hidden by a large negative number."""
    missing = 8 - len(sequence)
    mask = np.array([[0.0] * len(sequence) + [-1e9] * missing], np.float32)
    return {"x": np.pad(sequence, ((0, missing), (0, 0)))[None].astype(np.float32), "attention_mask": mask}


def test_a_padding_mask_is_not_guessed(explain: Explain) -> None:
    """Its name says that it may mark padding: a schema is asked for."""
    assert "may mark padding" in refusal(explain, models.padding_mask())


# needs: models-in, a mask is tried both ways at load: where all ones hide every event and all zeros show them, it is
# inverted: read it so, or refuse and say so. Before: 0.5 -> 0.5 and all events 0, "exact".
@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_mask_that_is_true_where_an_event_is_left_out(explain: Explain, name: str) -> None:
    """The truth (nothing left out), or a refusal that names the mask."""
    kind = LEFT_OUT[name]
    dtype = np.bool_ if kind == BOOL else np.float32
    feed: Feed = beside(name, lambda events: np.zeros((1, events), dtype))
    content = models.masked_mean(name, kind, keep_where=False)
    assert_right_or_refused(explain, content, f"{name}|mask|invert", feed=feed)


# needs: models-in, padding under a mask of floats that is added (mlverse/torch#1208, pytorch/pytorch#159973) still
# counts: events that are padded must not change the score when their values change. Before: 0.46258 for 0.45181.
def test_a_mask_that_is_added(explain: Explain) -> None:
    """A fixed length of eight, five events: padding hidden by a large negative number, or a refusal."""
    content = models.additive_mask(length=8)
    schema = '{"padding": "right"}'
    assert_right_or_refused(explain, content, "mask|padding", feed=padded, schema=schema)


# needs: models-in, as above; before, five events were taken by a model of eight steps with a mask, without a word of
# the side they are padded on.
def test_a_mask_that_is_added_without_a_schema(explain: Explain) -> None:
    """The truth, or a refusal."""
    assert_right_or_refused(explain, models.additive_mask(length=8), "mask|padding", feed=padded)


def test_eight_events_need_no_padding(explain: Explain) -> None:
    """Of a full length the mask that is added is a constant, which a softmax does not see."""
    content = models.additive_mask(length=8)
    sequence = np.random.default_rng(4).normal(size=(8, 3)).astype(np.float32)
    assert_true(explain(content, sequence), truth(content, sequence, feed=padded))


def opposite_masks(dead: bool = False) -> bytes:
    """A mean over what `mask` keeps and `skip` does not; `dead`: over nothing at all."""
    kept = [node("Not", ["skip"], "taken"), node("And", ["mask", "taken"], "kept")]
    nodes = [
        *kept,
        node("Cast", ["kept"], "kept.float", to=FLOAT),
        node("Mul", ["kept.float", "share"], "weight"),
        node("Unsqueeze", ["weight", "last"], "column"),
        node("MatMul", ["x", "w1"], "hidden"),
        node("Tanh", ["hidden"], "bent"),
        node("Mul", ["bent", "column"], "masked"),
        node("ReduceSum", ["masked", "time"], "sum", keepdims=0),
        node("ReduceSum", ["column", "time"], "count", keepdims=0),
        node("Max", ["count", "unit"], "divisor"),
        node("Div", ["sum", "divisor"], "mean"),
        node("MatMul", ["mean", "w2"], "score"),
    ]
    stored = [
        constant("share", 0.0 if dead else 1.0),
        constant("last", [2], np.int64),
        constant("time", [1], np.int64),
        constant("unit", [1.0]),
        constant("w1", weights(3, 4)),
        constant("w2", weights(4, 1)),
    ]
    events = value("x", FLOAT, ["n", "l", 3])
    masks = [value(name, BOOL, ["n", "l"]) for name in ("mask", "skip")]
    return built(nodes, stored, inputs=[events, *masks])


# Before: both were given ones, every event was hidden: 0.5 -> 0.5, all events 0, "exact".
def test_two_masks_of_opposite_meaning(explain: Explain) -> None:
    """One keeps where it is true, the other leaves out: each is read as the trial shows it."""
    content = opposite_masks()

    def feed(sequence: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
        events = (1, len(sequence))
        return {"x": sequence[None], "mask": np.ones(events, bool), "skip": np.zeros(events, bool)}

    answer = explain(content, SEQUENCE)
    assert_true(answer, truth(content, SEQUENCE, feed=feed))
    said = next(each.message for each in answer.warnings if each.reason == "MASK_RECOGNISED")
    assert "'mask' takes 0 for padding and 1 for an event" in said
    assert "'skip' takes 1 for padding and 0 for an event" in said


def test_a_mask_that_hides_every_event(explain: Explain) -> None:
    """No explanation in which every event is 0: what a mask means is asked."""
    assert "no event reaches the model's output" in refusal(explain, opposite_masks(dead=True))
