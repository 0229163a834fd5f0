"""Models that people export out of habit, and that are explained rightly: the truth is every coalition of events,
one sequence at a time in onnxruntime.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from field import inputs, models
from field.asking import SEQUENCE, Explain, assert_true, beside
from field.truth import Feed, alone, truth
from onnx import TensorProto
from small_onnx import BOOL, DOUBLE, HALF, INT32, INT64

IDS = np.array([[1], [3], [7], [9], [0]])
COUNTS = np.abs(SEQUENCE * 3).astype(np.int64)


def as_type(dtype: Any) -> Feed:
    return lambda sequence: {"x": sequence[None].astype(dtype)}


def named(name: str) -> Feed:
    return lambda sequence: {name: sequence[None].astype(np.float32)}


def length(name: str, dtype: Any, *shape: int) -> Feed:
    return beside(name, lambda events: np.full((1, *shape), events, dtype))


RIGHT = {
    # pytorch/pytorch#112512 shows the kind: only the first row of the logits is returned.
    "the first row of the output only": (models.first_row_only, SEQUENCE, alone),
    # pytorch/pytorch#22813 shows the kind: shapes traced with a batch of one.
    "a view that folds the batch into time": (models.batch_folded_into_time, SEQUENCE, alone),
    "a branch on the number of events, long": (models.branch_on_length, SEQUENCE, alone),
    "a branch on the number of events, short": (models.branch_on_length, SEQUENCE[:3], alone),
    # onnx/onnx#1449, onnx/tensorflow-onnx#379
    "weights as inputs, old file version": (models.weights_as_inputs, SEQUENCE, alone),
    "weights as inputs": (lambda: models.weights_as_inputs(8), SEQUENCE, alone),
    # microsoft/onnxruntime#6931
    "an option with a default": (models.option_with_a_default, SEQUENCE, alone),
    "an operator of onnxruntime's own": (inputs.fused, SEQUENCE, alone),
    "a table of positions that suffices": (inputs.positions, SEQUENCE, alone),
    "names of TensorFlow": (inputs.named, SEQUENCE, named("serving_default_lstm_input:0")),
    "names with a slash": (
        lambda: inputs.named("lstm/input", "dense/Sigmoid:0"),
        SEQUENCE,
        named("lstm/input"),
    ),
    "names in another script": (lambda: inputs.named("вход", "оценка"), SEQUENCE, named("вход")),
    "names with blanks and commas": (lambda: inputs.named("x, y", "a b"), SEQUENCE, named("x, y")),
    "ids": (inputs.ids, IDS, lambda sequence: {"ids": sequence[None, :, 0].astype(np.int64)}),
    "double": (lambda: models.typed(DOUBLE), SEQUENCE, as_type(np.float64)),
    "half": (lambda: models.typed(HALF), SEQUENCE, as_type(np.float16)),
    "int32": (lambda: models.typed(INT32), COUNTS, as_type(np.int32)),
    "int64": (lambda: models.typed(INT64), COUNTS, as_type(np.int64)),
    "int64 sent as whole floats": (lambda: models.typed(INT64), COUNTS.astype(float), as_type(np.int64)),
    "bool": (lambda: models.typed(BOOL), SEQUENCE > 0, as_type(np.bool_)),
    "an output of double": (lambda: inputs.cast_to(TensorProto.DOUBLE), SEQUENCE, alone),
    "an output of half": (lambda: inputs.cast_to(TensorProto.FLOAT16), SEQUENCE, alone),
    "a decision": (inputs.decided, SEQUENCE, alone),
    "a mask of int64, 1 for a real event": (
        lambda: models.masked_mean("attention_mask", INT64, keep_where=True),
        SEQUENCE,
        beside("attention_mask", lambda events: np.ones((1, events), np.int64)),
    ),
    "a mask that is added, any number of events": (
        models.additive_mask,
        SEQUENCE,
        beside("attention_mask", lambda events: np.zeros((1, events), np.float32)),
    ),
    # pytorch/pytorch#48460 and others: what remains of pack_padded_sequence is an input of lengths.
    "lengths": (lambda: models.lengths_input("lengths", INT64, ["n"]), SEQUENCE, length("lengths", np.int64)),
    "lengths of int32": (
        lambda: models.lengths_input("valid_len", INT32, ["n"]),
        SEQUENCE,
        length("valid_len", np.int32),
    ),
    "lengths in a column": (
        lambda: models.lengths_input("seq_len", INT64, ["n", 1]),
        SEQUENCE,
        length("seq_len", np.int64, 1),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_habits_are_explained_rightly(explain: Explain, name: str) -> None:
    """Base value, score and events are those of every coalition, run alone."""
    build, sequence, feed = RIGHT[name]
    content = build()
    assert_true(explain(content, sequence), truth(content, sequence, feed=feed))


def test_a_mask_worked_out_inside_needs_a_background_with_events(explain: Explain) -> None:
    """Keras' Masking leaves out events of all zeros: with another background the answer is the truth."""
    content, background = inputs.masked_inside(), np.full(3, 0.1)
    answer = explain(content, SEQUENCE, background=background)
    assert_true(answer, truth(content, SEQUENCE, background))


def test_free_columns_are_settled_by_a_schema(explain: Explain) -> None:
    """dynamic_axes over all three axes: the schema says how many columns there are."""
    schema = '{"inputs": [{"name": "x", "role": "events", "width": 3}]}'
    content = inputs.free_columns()
    assert_true(explain(content, SEQUENCE, schema=schema), truth(content, SEQUENCE))


def test_the_state_may_be_the_first_output(explain: Explain) -> None:
    """`return h_n, output`: (1, n, units) is read as units for each sequence."""
    content = models.state_as_first_output()
    answer = explain(content, SEQUENCE, targets=range(4))
    wanted = [truth(content, SEQUENCE, output="h_n", column=column) for column in range(4)]
    found = np.array([each.values for each in sorted(answer.events, key=lambda event: event.t)])
    np.testing.assert_allclose(found.T, [each.events for each in wanted], atol=1e-5)
