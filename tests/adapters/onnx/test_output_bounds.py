"""Bounds on the number of events keep a graph whole wherever they lie, and what only looks like one does not."""

from __future__ import annotations

import numpy as np
import pytest
from adapters.onnx.graphs_around_a_gru import COUNT, GRU, WIDTH, model_of
from sequela.adapters.onnx.stateful.op_rules import RULES
from sequela.explain.ports import PaddingRows, Recurrence
from sequela.timeshap.cells import Cells

AGAIN = "z, z_h = GRU <hidden_size = 6> (kept, W, R) score = Squeeze (z_h, zero)"
BOUND = COUNT + "bound = Constant <value_int = {bound}> ()"
BRANCHES = """
    score = If (is_long) <
        then_branch = then () => (float then_out) { then_out = Neg (last) },
        else_branch = other () => (float else_out) { else_out = Identity (last) }
    >"""
MANY = 200
"""Events: more than any graph is looked at with."""

BOUNDED = {
    "the newest events": "some = Constant <value_ints = [-{bound}]> () kept = Slice (in_time, some, big, zero)"
    + AGAIN,
    "the oldest events": "some = Constant <value_ints = [{bound}]> () kept = Slice (in_time, zero, some, zero)"
    + AGAIN,
    "all but the oldest": "some = Constant <value_ints = [{bound}]> () "
    "kept = Slice (steps, some, big, one) score = ReduceSum <keepdims = 0> (kept, one)",
    "all but the newest": "some = Constant <value_ints = [-{bound}]> () "
    "kept = Slice (steps, zero, some, one) score = ReduceSum <keepdims = 0> (kept, one)",
    "the oldest events, counted": BOUND
    + "least = Min (count, bound) some = Unsqueeze (least, zero) kept = Slice (in_time, zero, some, zero)"
    + AGAIN,
    "the newest events, counted": BOUND
    + """rest = Sub (count, bound) least = Max (rest, scalar_zero) some = Unsqueeze (least, zero)
    kept = Slice (in_time, some, big, zero)"""
    + AGAIN,
    "an event at most so late": BOUND
    + """latest = Sub (count, scalar_one) least = Min (latest, bound)
    score = Gather <axis = 1> (steps, least)""",
    "an event chosen by the count": BOUND
    + """latest = Sub (count, scalar_one) is_long = Greater (count, bound)
    chosen = Where (is_long, bound, latest) score = Gather <axis = 1> (steps, chosen)""",
    "a branch for long sequences": BOUND + "is_long = Greater (count, bound)" + BRANCHES,
    "a branch for long sequences, not": BOUND
    + "is_short = LessOrEqual (count, bound) is_long = Not (is_short)"
    + BRANCHES,
    "a branch for one length": BOUND + "is_long = Equal (count, bound)" + BRANCHES,
    "a branch by a truth made of a count": BOUND
    + "over = Div (count, bound) is_long = Cast <to = 9> (over)"
    + BRANCHES,
    "division by the count, at least the bound": BOUND
    + "most = Max (count, bound) size = Cast <to = 1> (most) score = Div (last, size)",
    "division by the count, clipped": BOUND
    + """top = Constant <value_int = 1000000> () most = Clip (count, bound, top)
    size = Cast <to = 1> (most) score = Div (last, size)""",
    "whole shares of the count": BOUND
    + "share = Div (count, bound) size = Cast <to = 1> (share) score = Add (last, size)",
    "shares of the count, rounded": BOUND
    + """size = Cast <to = 1> (count) whole = Cast <to = 1> (bound) share = Div (size, whole)
    low = Floor (share) score = Add (last, low)""",
    "a choice by the count": BOUND
    + "is_long = Greater (count, bound) other = Neg (last) score = Where (is_long, other, last)",
    "a choice for each event": BOUND
    + """is_long = Greater (count, bound) other = Neg (steps) chosen = Where (is_long, other, steps)
    score = Gather <axis = 1> (chosen, newest)""",
    "the real events": BOUND
    + """least = Min (count, bound) narrow = Cast <to = 6> (least) rows = Slice (shape, zero, one)
    given = Expand (narrow, rows) z, z_h = GRU <hidden_size = 6> (in_time, W, R, , given)
    score = Squeeze (z_h, zero)""",
}
"""Each depends on whether there are more than `bound` events; in Python's terms `x[:, -bound:]`, `min(l, bound)`."""
MAX_EVENTS = {
    "from the least integer": "least = Constant <value_ints = [-9223372036854775808]> () "
    "kept = Slice (in_time, least, big, zero)" + AGAIN,
    "to the largest of 32 bits": "top = Constant <value_ints = [2147483647]> () "
    "kept = Slice (in_time, zero, top, zero)" + AGAIN,
    "to the count": COUNT + "end = Unsqueeze (count, zero) kept = Slice (in_time, zero, end, zero)" + AGAIN,
    "from as far back as the count": COUNT
    + "end = Unsqueeze (count, zero) start = Neg (end) kept = Slice (in_time, start, end, zero)"
    + AGAIN,
    "to the count, at least one": COUNT
    + "most = Max (count, scalar_one) end = Unsqueeze (most, zero) kept = Slice (in_time, zero, end, zero)"
    + AGAIN,
    "the last by the count": COUNT
    + "latest = Sub (count, scalar_one) score = Gather <axis = 1> (steps, latest)",
    "the last as a slice by the count": COUNT
    + """end = Unsqueeze (count, zero) start = Sub (end, one) cut = Slice (steps, start, end, one)
    score = Squeeze (cut, one)""",
    "a branch for no events": COUNT + "is_long = Less (count, scalar_one)" + BRANCHES,
    "a shape without free sizes": """given = Shape (steps) size = Shape (given)
    ones = ConstantOfShape <value = int64[1] {1}> (size) is_free = Equal (given, minus)
    wanted = Where (is_free, ones, given) all = Expand (steps, wanted)
    score = Gather <axis = 1> (all, newest)""",
    "rows multiplied out": """given = Shape (steps) front = Slice (given, zero, two) rows = ReduceProd (front)
    columns = Slice (given, two, three) flat = Concat <axis = 0> (rows, columns) table = Reshape (steps, flat)
    dense = Gemm (table, sq6) again = Reshape (dense, given) score = Gather <axis = 1> (again, newest)""",
    "rows multiplied": COUNT
    + """number = Gather (shape, scalar_zero) rows = Mul (number, count) first = Unsqueeze (rows, zero)
    flat = Concat <axis = 0> (first, minus) table = Reshape (steps, flat) dense = Gemm (table, sq6)
    given = Shape (steps) again = Reshape (dense, given) score = Gather <axis = 1> (again, newest)""",
}
FIXED = 8
FITTING = {
    "as many as there are": "top = Constant <value_ints = [8]> () kept = Slice (in_time, zero, top, zero)"
    + AGAIN,
    "more than there are": "far = Constant <value_ints = [-50]> () kept = Slice (in_time, far, big, zero)"
    + AGAIN,
    "a branch for longer ones": COUNT
    + "bound = Constant <value_int = 8> () is_long = Greater (count, bound)"
    + BRANCHES,
}
"""Bounds that a graph for 8 events never meets."""


@pytest.mark.parametrize(
    "bound", [7, *(pytest.param(each, marks=pytest.mark.slow) for each in (2, 50, 98, 5000))]
)
@pytest.mark.parametrize("name", BOUNDED)
def test_a_bound_is_met_by_sequences_that_are_long_enough(name: str, bound: int) -> None:
    """Among the lengths that a graph is tried at and beyond: it is left whole."""
    model = model_of(GRU + BOUNDED[name].replace("{bound}", str(bound)))
    assert model.recurrence is None
    assert (
        "selects some of the events" in model.execution
        or "depends on the number of events" in model.execution
    )


@pytest.mark.parametrize("name", MAX_EVENTS)
def test_what_holds_for_any_number_of_events_runs_from_states(name: str) -> None:
    """And gives what it gives whole on more events than it was tried at, cut anywhere."""
    model = model_of(GRU + MAX_EVENTS[name])
    assert model.recurrence is not None, model.execution
    events, empty = np.random.default_rng(1).normal(size=(3, MANY, WIDTH)), (np.empty((0, WIDTH)),)
    expected = model.run(Cells((events,)), PaddingRows(empty, empty), 0)
    for cut in (1, 100, MANY - 1):
        np.testing.assert_allclose(_in_two(model.recurrence, events, cut), expected, atol=1e-5)


@pytest.mark.parametrize("name", FITTING)
def test_a_graph_for_a_fixed_number_of_events_never_meets_a_larger_bound(name: str) -> None:
    """It runs from states with the bound and, but for it, would not: with a free number it is left whole."""
    model = model_of(GRU + FITTING[name], FIXED)
    assert model.recurrence is not None, model.execution
    events, empty = np.random.default_rng(1).normal(size=(3, FIXED, WIDTH)), (np.empty((0, WIDTH)),)
    expected = model.run(Cells((events,)), PaddingRows(empty, empty), 0)
    np.testing.assert_allclose(_in_two(model.recurrence, events, 3), expected, atol=1e-5)
    assert model_of(GRU + FITTING[name]).recurrence is None


@pytest.mark.parametrize("bound", [pytest.param(2, marks=pytest.mark.slow), 6])
@pytest.mark.parametrize("name", BOUNDED)
def test_a_graph_for_a_fixed_number_of_events_meets_a_smaller_bound(name: str, bound: int) -> None:
    """It is left whole, as with a free number."""
    model = model_of(GRU + BOUNDED[name].replace("{bound}", str(bound)), FIXED)
    assert model.recurrence is None
    assert (
        "selects some of the events" in model.execution
        or "depends on the number of events" in model.execution
    )


@pytest.mark.parametrize("length", ["l", FIXED])
def test_differences_of_events_leave_a_single_one_without_any(length: int | str) -> None:
    """A GRU over them is left whole, and not run on no events: onnxruntime would end the process."""
    differences = """later = Slice (in_time, one, big, zero) earlier = Slice (in_time, zero, minus, zero)
    kept = Sub (later, earlier)"""
    model = model_of(GRU + differences + AGAIN, length)
    assert model.recurrence is None
    assert "Slice 'later' selects some of the events" in model.execution


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (50, "Slice 'kept' changes the number of events"),
        (150, "run from states, its outputs differ by"),
    ],
)
def test_were_the_proof_fooled_long_sequences_would_tell(
    bound: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a rule that takes every slice for all events: what is seen on 97 events, and the check on 300."""
    monkeypatch.setitem(RULES, "Slice", lambda node: node.labels[0])
    some = f"some = Constant <value_ints = [{bound}]> () kept = Slice (steps, zero, some, one)"
    model = model_of(GRU + some + "score = Gather <axis = 1> (kept, newest)")
    assert model.recurrence is None
    assert said in model.execution


def _in_two(recurrence: Recurrence, events: np.ndarray, cut: int) -> np.ndarray:
    before, after = (Cells((part,)) for part in np.split(events, [cut], axis=1))
    return recurrence.finish(after, recurrence.advance(before, recurrence.initial(len(events))))
