"""Which graphs around a GRU can be run from states: the law of time, operator by operator."""

from __future__ import annotations

import numpy as np
import pytest
from adapters.onnx.graphs_around_a_gru import COUNT, GRU, WIDTH, model_of
from sequela.adapters.onnx.model import OnnxModel
from sequela.explain.ports import PaddingRows
from sequela.timeshap.cells import Cells

FROM_STATES = {
    "the last step": "score = Identity (last)",
    "the final state": "score = Squeeze (y_h, zero)",
    "a slice of one step": "cut = Slice (steps, minus, big, one) score = Flatten (cut)",
    "a slice of all": "all = Slice (steps, zero, big, one) score = Gather <axis = 1> (all, newest)",
    "the last event beside the last step": """
        event = Gather <axis = 1> (events, newest)
        score = Concat <axis = 1> (last, event)""",
    "a step for each event": "score = Softmax <axis = 2> (steps)",
    "a head that sorts": "values, score_ids = TopK (last, two) score = Softmax <axis = 1> (values)",
    "a dense layer on steps in a row": """
        rows = Reshape (steps, flat6) dense = Gemm (rows, out)
        given = Shape (steps) front = Slice (given, zero, two)
        three = Constant <value_ints = [3]> () back = Concat <axis = 0> (front, three)
        again = Reshape (dense, back) score = Gather <axis = 1> (again, newest)""",
    "steps in a row, batch norm": """
        rows = Reshape (steps, flat6)
        normal = BatchNormalization (rows, scale, scale, scale, positive)
        given = Shape (steps) again = Reshape (normal, given) score = Gather <axis = 1> (again, newest)""",
    "a point convolution": """
        channels = Transpose <perm = [0, 2, 1]> (events) mixed = Conv (channels, point)
        back = Transpose <perm = [2, 0, 1]> (mixed) z, z_h = GRU <hidden_size = 6> (back, W6, R)
        score = Squeeze (z_h, zero)""",
    "columns that are added, cut and moved": """
        padded = Pad (steps, beside) ups = CumSum (padded, scalar_two) parts = ReduceMax <axes = [2]> (ups)
        joined = Concat <axis = 2> (parts, steps) score = Gather <axis = 1> (joined, newest)""",
    "numbers to ids to columns": """
        ids = ArgMax <axis = 2, keepdims = 0> (events) table = Gather (square, ids)
        hot = OneHot (ids, four, off_on) both = Concat <axis = 2> (table, hot)
        before = Transpose <perm = [1, 0, 2]> (both) z, z_h = GRU <hidden_size = 6> (before, V, R)
        score = Squeeze (z_h, zero)""",
    "a product for each event": """
        column = Unsqueeze (events, three) row = Unsqueeze (steps, two) outer = MatMul (column, row)
        summed = ReduceSum (outer, two) kept = Squeeze (summed, two)
        score = Gather <axis = 1> (kept, newest)""",
    "a weight on the left": """
        turned = Transpose <perm = [0, 2, 1]> (events) mixed = MatMul (square, turned)
        again = Transpose <perm = [0, 2, 1]> (mixed) added = Concat <axis = 2> (again, steps)
        score = Gather <axis = 1> (added, newest)""",
    "a static input at each event": """
        shape = Shape (events) many = Unsqueeze (profile, one) spread_over = Expand (many, shape)
        z_in = Transpose <perm = [1, 0, 2]> (spread_over) added = Add (z_in, in_time)
        z, z_h = GRU <hidden_size = 6> (added, W, R) score = Squeeze (z_h, zero)""",
    "a branch that is always taken": """
        column = Unsqueeze (steps, three) shape = Shape (column) size = Gather (shape, scalar_three)
        is_one = Equal (size, scalar_one)
        again = If (is_one) <
            then_branch = then () => (float then_out) { then_out = Squeeze (column, three) },
            else_branch = other () => (float else_out) { else_out = Identity (column) }
        >
        score = Gather <axis = 1> (again, newest)""",
    "products written as sums": """
        mixed = Einsum <equation = "blh,hk->bkl"> (steps, out) score = Gather <axis = 2> (mixed, newest)""",
    "a comparison of columns": """
        zeros = Sub (steps, steps) positive_ones = Greater (steps, zeros)
        chosen = Where (positive_ones, steps, zeros) score = Gather <axis = 1> (chosen, newest)""",
}
WHOLE = {
    "a mean over time": (
        "score = ReduceMean <axes = [1], keepdims = 0> (steps)",
        "runs along the event axis",
    ),
    "a maximum over time and columns": (
        "top = ReduceMax <axes = [1, 2]> (steps) flat = Squeeze (top, one) score = Mul (last, flat)",
        "ReduceMax 'top' runs along the event axis",
    ),
    "weights over time": (
        "w = Softmax <axis = 1> (steps) p = Mul (w, steps) score = ReduceSum <keepdims = 0> (p, one)",
        "Softmax 'w' runs along the event axis",
    ),
    "attention": (
        """turned = Transpose <perm = [0, 2, 1]> (steps) alike = MatMul (steps, turned)
        mixed = MatMul (alike, steps) score = Gather <axis = 1> (mixed, newest)""",
        "MatMul 'alike' combines different events",
    ),
    "a sum over time": (
        "turned = Transpose <perm = [0, 2, 1]> (steps) s = CumSum (turned, two) score = Gather <axis = 2> (s, newest)",
        "CumSum 's' runs along the event axis",
    ),
    "the first step": ("score = Gather <axis = 1> (steps, scalar_zero)", "selects some of the events"),
    "the last step but one": (
        "back = Constant <value_int = -2> () score = Gather <axis = 1> (steps, back)",
        "Gather 'score' selects some of the events",
    ),
    "the last step but one by the number of events": (
        COUNT + "place = Sub (count, scalar_two) score = Gather <axis = 1> (steps, place)",
        "Gather 'score' selects some of the events",
    ),
    "an event for a static input": (
        """column = Slice (profile, zero, one, one) top = ReduceMax <keepdims = 0> (column) none = Sub (top, top)
        at = Cast <to = 7> (none) place = Sub (at, scalar_one) score = Gather <axis = 1> (steps, place)""",
        "Gather 'score' selects by a static input",
    ),
    "a sum for each event of it and all others": (
        """column = Unsqueeze (steps, three) shape = Shape (events) count = Slice (shape, one, two)
        front = Shape (steps) wanted = Concat <axis = 0> (front, count) many = Expand (column, wanted)
        sums = ReduceSum <keepdims = 0> (many, three) score = Gather <axis = 1> (sums, newest)""",
        "Expand 'many' changes the number of events",
    ),
    "the order reversed": (
        "turned = Slice (events, minus, lowest, one, minus) score = Gather <axis = 1> (turned, newest) "
        "unused = Identity (last)",
        "it has no recurrent nodes",
    ),
    "a GRU over the order reversed": (
        """turned = Slice (in_time, minus, lowest, zero, minus) z, z_h = GRU <hidden_size = 6> (turned, W, R)
        score = Squeeze (z_h, zero)""",
        "Slice 'turned' selects some of the events",
    ),
    "division by the number of events": (
        COUNT + "length = Cast <to = 1> (count) score = Div (last, length)",
        "Div 'score' depends on the number of events",
    ),
    "positions": (
        COUNT
        + """at = Range (scalar_zero, count, scalar_one) place = Cast <to = 1> (at)
        column = Unsqueeze (place, one) moved = Add (steps, column) score = Gather <axis = 1> (moved, newest)""",
        "Add 'moved' depends on the number of events",
    ),
    "neighbours": (
        """channels = Transpose <perm = [0, 2, 1]> (events)
        mixed = Conv <pads = [1, 1]> (channels, wide) back = Transpose <perm = [2, 0, 1]> (mixed)
        z, z_h = GRU <hidden_size = 6> (back, W6, R) score = Squeeze (z_h, zero)""",
        "Conv 'mixed' mixes events",
    ),
    "an event put in front": (
        "more = Pad (in_time, ahead) z, z_h = GRU <hidden_size = 6> (more, W, R) score = Squeeze (z_h, zero)",
        "Pad 'more' pads along the event axis",
    ),
    "events twice": (
        """twice = Concat <axis = 0> (in_time, in_time) z, z_h = GRU <hidden_size = 6> (twice, W, R)
        score = Squeeze (z_h, zero)""",
        "Concat 'twice' concatenates along the event axis",
    ),
    "the last step at every event": (
        """many = Unsqueeze (last, one) shape = Shape (steps) all = Expand (many, shape)
        joined = Add (all, steps) score = Gather <axis = 1> (joined, newest)""",
        "Expand 'all' depends on the number of events",
    ),
    "the last step added to every step": (
        "many = Unsqueeze (last, one) joined = Add (many, steps) score = Gather <axis = 1> (joined, newest)",
        "Add 'joined' combines the last event with every event",
    ),
    "a GRU that runs over the rows": (
        "z, z_h = GRU <hidden_size = 6> (events, W, R) s = Squeeze (z, one) score = Gather <axis = 1> (s, newest)",
        "the rows of a batch influence each other",
    ),
    "a reversed GRU": (
        """z, z_h = GRU <hidden_size = 6, direction = "reverse"> (in_time, W, R) score = Squeeze (z_h, zero)""",
        "GRU 'z' runs backward",
    ),
    "a GRU from a static state": (
        """start = MatMul (profile, square46) first = Unsqueeze (start, zero)
        z, z_h = GRU <hidden_size = 6> (in_time, W, R, , , first) score = Squeeze (z_h, zero)""",
        "GRU 'z' has weights or initial states that are not constant",
    ),
    "a GRU from the state of another": (
        "z, z_h = GRU <hidden_size = 6> (in_time, W, R, , , y_h) score = Squeeze (z_h, zero)",
        "GRU 'z' has weights or initial states that are not constant",
    ),
    "a column by the number of events": (
        COUNT + "wrapped = Mod (count, four) score_at = Gather <axis = 2> (steps, wrapped) "
        "score = Gather <axis = 1> (score_at, newest)",
        "Gather 'score_at' depends on the number of events",
    ),
    "columns by the number of events": (
        COUNT + "end = Add (count, one) cut = Slice (steps, zero, end, two) "
        "row = ReduceSum <keepdims = 0> (cut, two) score = Gather <axis = 1> (row, newest_one)",
        "Slice 'cut' depends on the number of events",
    ),
    "a table by the number of events": (
        COUNT
        + """at = Range (scalar_zero, count, scalar_one) table = Cast <to = 1> (at)
        ids = ArgMax <axis = 2, keepdims = 0> (events) none = Mul (ids, scalar_zero)
        taken = Gather (table, none) column = Unsqueeze (taken, two) moved = Add (column, steps)
        score = Gather <axis = 1> (moved, newest_one)""",
        "Gather 'taken' depends on the number of events",
    ),
    "attention written as sums": (
        """alike = Einsum <equation = "blh,bmh->blm"> (steps, steps)
        mixed = Einsum <equation = "blm,bmh->blh"> (alike, steps) score = Gather <axis = 1> (mixed, newest)""",
        "Einsum 'alike' combines different events",
    ),
    "a branch that events choose": (
        """top = ReduceMax <keepdims = 0> (events) is_high = Greater (top, half)
        again = If (is_high) <
            then_branch = then () => (float then_out) { then_out = Neg (steps) },
            else_branch = other () => (float else_out) { else_out = Identity (steps) }
        >
        score = Gather <axis = 1> (again, newest)""",
        "the rows of a batch influence each other",
    ),
    "a branch for a single event": (
        COUNT
        + """is_one = Equal (count, scalar_one)
        again = If (is_one) <
            then_branch = then () => (float then_out) { then_out = Neg (steps) },
            else_branch = other () => (float else_out) { else_out = Identity (steps) }
        >
        score = Gather <axis = 1> (again, newest)""",
        "If 'again' depends on the number of events",
    ),
    "events sorted": (
        "values, ids = TopK <axis = 1> (steps, one) score = Squeeze (values, one)",
        "TopK 'values' runs along the event axis",
    ),
    "events flattened": (
        "row = ReduceSum <keepdims = 0> (events, two) best = ArgMax <axis = 1> (row) hit = Cast <to = 1> (best) "
        "score = Mul (last, hit)",
        "ArgMax 'best' runs along the event axis",
    ),
}


def cells_of(model: OnnxModel) -> Cells:
    rng = np.random.default_rng(1)
    static = tuple(rng.normal(size=(5, 4)) for item in model.info.schema.inputs if item.name == "profile")
    return Cells((rng.normal(size=(5, 7, WIDTH)),), static)


@pytest.mark.parametrize("name", FROM_STATES)
def test_it_runs_from_states(name: str) -> None:
    """And gives what it gives whole, wherever it is cut."""
    model = model_of(GRU + FROM_STATES[name])
    assert model.recurrence is not None, model.execution
    cells, empty = cells_of(model), (np.empty((0, WIDTH)),)
    expected = model.run(cells, PaddingRows(empty, empty), 0)
    for cut in range(1, 7):
        before, after = (Cells((part,), cells.static) for part in np.split(cells.events[0], [cut], axis=1))
        states = model.recurrence.advance(before, model.recurrence.initial(5))
        np.testing.assert_allclose(model.recurrence.finish(after, states), expected, atol=1e-5)


@pytest.mark.parametrize("name", WHOLE)
def test_it_is_left_whole(name: str) -> None:
    """With the node and what it does as the reason."""
    body, reason = WHOLE[name]
    model = model_of(GRU + body)
    assert model.recurrence is None
    assert reason in model.execution
