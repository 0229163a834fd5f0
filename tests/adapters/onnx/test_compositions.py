"""Random compositions of operators around a GRU: whatever is rewritten was rewritten rightly."""

from __future__ import annotations

import random

import numpy as np
import pytest
from adapters.onnx.graphs_around_a_gru import GRU, model_of
from sequela.explain.ports import PaddingRows
from sequela.timeshap.cells import Cells

PARTS = (
    "{y} = Tanh({x})",
    "{y} = Relu({x})",
    "{y} = MatMul({x}, sq6)",
    "{y} = Mul({x}, {z})",
    "{y} = Add({x}, {z})",
    "{y}a = Transpose <perm=[1,0,2]> ({x}) {y} = Transpose <perm=[1,0,2]> ({y}a)",
    "{y}a = Transpose <perm=[0,2,1]> ({x}) {y}b = MatMul(sq6, {y}a) {y} = Transpose <perm=[0,2,1]> ({y}b)",
    "{y}s = Shape({x}) {y}a = Reshape({x}, flat6) {y}b = Gemm({y}a, sq6) {y} = Reshape({y}b, {y}s)",
    "{y}s = Shape({x}) {y}t = Transpose <perm=[1,0,2]> ({x}) {y}a = Reshape({y}t, flat6) "
    "{y}b = Gemm({y}a, sq6) {y} = Reshape({y}b, {y}s)",
    "{y}t = Transpose <perm=[1,0,2]> ({x}) {y}s = Shape({y}t) {y}a = Reshape({y}t, flat6) "
    "{y}b = Gemm({y}a, sq6) {y}c = Reshape({y}b, {y}s) {y} = Transpose <perm=[1,0,2]> ({y}c)",
    "{y}a = Reshape({x}, c63) {y}b = Transpose <perm=[0,1,3,2]> ({y}a) {y} = Reshape({y}b, six_again)",
    "{y}a = Reshape({x}, c63) {y}b = Transpose <perm=[0,3,2,1]> ({y}a) "
    "{y}c = Softmax <axis=1> ({y}b) {y}d = Transpose <perm=[0,3,2,1]> ({y}c) "
    "{y} = Reshape({y}d, six_again)",
    "{y} = Softmax <axis=2> ({x})",
    "{y} = Softmax <axis=1> ({x})",
    "{y} = LayerNormalization <axis=2> ({x}, scale)",
    "{y} = LayerNormalization <axis=1> ({x}, scale)",
    "{y} = CumSum({x}, scalar_two)",
    "{y} = CumSum({x}, scalar_one)",
    "{y}a = ReduceMean <axes=[2]> ({x}) {y} = Sub({x}, {y}a)",
    "{y}a = ReduceMean <axes=[1]> ({x}) {y} = Sub({x}, {y}a)",
    "{y}a = ReduceMax <axes=[1,2]> ({x}) {y} = Add({x}, {y}a)",
    "{y} = Gather <axis=2> ({x}, idx)",
    "{y}a, {y}b = Split <axis=2> ({x}, splits) {y} = Concat <axis=2> ({y}b, {y}a)",
    "{y}a = Slice({x}, zero, cut5, two) {y} = Pad({y}a, pad1)",
    "{y}a = Slice({x}, minus, lowest, one, minus) {y} = Add({y}a, {x})",
    "{y}a = Slice({x}, minus, lowest, two, minus) {y} = Add({y}a, {x})",
    "{y}a = Gather <axis=1> ({x}, newest) {y}b = Unsqueeze({y}a, one) {y} = Add({x}, {y}b)",
    "{y}a = ArgMax <axis=2,keepdims=0> ({x}) {y} = Gather(sq6, {y}a)",
    "{y}a = ArgMax <axis=1> ({x}) {y}b = Cast <to=1> ({y}a) {y} = Add({x},{y}b)",
    "{y}t = Transpose <perm=[1,0,2]> ({x}) {y}g, {y}h = GRU <hidden_size=6> ({y}t, W6, R) "
    "{y}q = Squeeze({y}g, one) {y} = Transpose <perm=[1,0,2]> ({y}q)",
    "{y}g, {y}h = GRU <hidden_size=6> ({x}, W6, R) {y} = Squeeze({y}g, one)",
    "{y}t = Transpose <perm=[1,0,2]> ({x}) "
    '{y}g, {y}h = GRU <hidden_size=6, direction="reverse"> ({y}t, W6, R) '
    "{y}q = Squeeze({y}g, one) {y} = Transpose <perm=[1,0,2]> ({y}q)",
    '{y}a = Einsum <equation="blh,hk->blk"> ({x}, sq6) {y} = Tanh({y}a)',
    '{y}a = Einsum <equation="blh,bmh->blm"> ({x}, {z}) {y} = MatMul({y}a, {x})',
    "{y}s = Shape({x}) {y}c = Gather({y}s, scalar_one) {y}f = Cast <to=1> ({y}c) {y} = Div({x}, {y}f)",
    "{y}s = Shape({x}) {y}k = ConstantOfShape({y}s) {y} = Add({x}, {y}k)",
    "{y}u = Unsqueeze({x}, three1) {y}v = Unsqueeze({z}, two) {y}w = MatMul({y}u, {y}v) "
    "{y}m = ReduceSum <keepdims=0> ({y}w, three1) {y} = Tanh({y}m)",
    "{y}t = Transpose <perm=[0,2,1]> ({x}) {y}v = Conv({y}t, point6) {y} = Transpose <perm=[0,2,1]> ({y}v)",
    "{y}t = Transpose <perm=[0,2,1]> ({x}) {y}v = Conv <pads=[1,1]> ({y}t, wide6) "
    "{y} = Transpose <perm=[0,2,1]> ({y}v)",
    "{y}u = Unsqueeze({x}, one) {y}r = Reshape({x}, flat6) {y}w = Unsqueeze({y}r, two) "
    "{y}p = Conv({y}w, point6) {y}q = Squeeze({y}p, two) {y}s = Shape({x}) "
    "{y} = Reshape({y}q, {y}s)",
    "{y}g = Greater({x}, {z}) {y} = Where({y}g, {x}, {z})",
    "{y}c = Concat <axis=1> ({x}, {z}) {y}s = Shape({x}) {y}l = Slice({y}s, one, two) "
    "{y} = Slice({y}c, zero, {y}l, one)",
    "{y} = Slice({x}, zero, big, one)",
    "{y}f = Constant <value_ints=[-50]> () {y}a = Slice({x}, {y}f, big, one) "
    "{y}b = Gather <axis=1> ({y}a, scalar_zero) {y}c = Unsqueeze({y}b, one) {y} = Add({x}, {y}c)",
    "{y}s = Shape({x}) {y}c = Gather({y}s, scalar_one) {y}f = Constant <value_int=50> () "
    "{y}m = Max({y}c, {y}f) {y}d = Cast <to=1> ({y}m) {y} = Div({x}, {y}d)",
    "{y}s = Shape({x}) {y}c = Slice({y}s, one, two) {y}m = Max({y}c, one) {y} = Slice({x}, zero, {y}m, one)",
    "{y}s = Shape({x}) {y}c = Slice({y}s, one, two) {y}m = Neg({y}c) {y} = Slice({x}, {y}m, {y}c, one)",
    "{y}a, {y}i = TopK <axis=2> ({x}, six) {y} = Mul({y}a, {x})",
)
"""From x and z, (n, l, 6) each, to y (n, l, 6): half of them keep events apart, half mix them."""
MOST_PARTS = 5
EVENTS = 60
"""More than the bounds of some parts."""


def composed(rng: random.Random) -> str:
    values, body = ["steps", "numbers"], GRU + "numbers = MatMul (events, square46)"
    for number in range(rng.randint(1, MOST_PARTS)):
        name = f"v{number}_"
        body += " " + rng.choice(PARTS).format(x=rng.choice(values), z=rng.choice(values), y=name)
        values.append(name)
    ends = ("score = Gather <axis = 1> (merged, newest)", "score = Tanh (merged)")
    return f"{body} merged = Sum ({values[-1]}, steps) {rng.choice(ends)}"


SEEDS = [(0, 20), *(pytest.param(seed, 40, marks=pytest.mark.slow) for seed in range(8))]


@pytest.mark.parametrize(("seed", "graphs"), SEEDS)
def test_compositions_run_from_states_as_they_do_whole(seed: int, graphs: int) -> None:
    """Rewritten ones give the same from states, and no other had to be caught by the check after the proof."""
    rng, rewritten = random.Random(seed), 0
    events = np.random.default_rng(seed).normal(size=(5, EVENTS, 4))
    none = (np.empty((0, 4)),)
    for _ in range(graphs):
        model = model_of(composed(rng))
        assert "run from states, its outputs differ by" not in model.execution
        if model.recurrence is None:
            continue
        rewritten += 1
        expected = model.run(Cells((events,)), PaddingRows(none, none), 0)
        cut = rng.randint(1, EVENTS - 1)
        states = model.recurrence.advance(Cells((events[:, :cut],)), model.recurrence.initial(5))
        found = model.recurrence.finish(Cells((events[:, cut:],)), states)
        np.testing.assert_allclose(found, expected, atol=1e-4 * max(1.0, abs(expected).max()))
    assert graphs / 4 < rewritten < graphs * 3 / 4
