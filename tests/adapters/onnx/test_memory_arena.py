"""What models used before does not make an honest model fail later."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper, numpy_helper
from sequela.adapters.onnx.memory_arena import release_unused_memory
from sequela.adapters.onnx.session import Session, open_session
from sequela.errors import DoesNotFit
from sequela.explain.limits import Limits
from small_onnx import FLOAT, over_events, value

MEBIBYTE = 1 << 20
FEEDS = {"events": np.ones((1, 2, 4), dtype=np.float32)}
LIMIT_MEBIBYTES = 64


def holding(mebibytes: int, pieces: int) -> Session:
    """A model whose run holds so many pieces of that size at a time."""
    size = numpy_helper.from_array(np.array([mebibytes * MEBIBYTE // 4]), "size")
    names = [f"piece{number}" for number in range(pieces)]
    nodes = [
        helper.make_node("ReduceMean", ["events"], ["mean"], axes=[0, 1, 2], keepdims=0),
        *(helper.make_node("Expand", ["mean", "size"], [name]) for name in names),
        helper.make_node("Sum", names, ["sum"]),
        helper.make_node("ReduceMax", ["sum"], ["largest"], keepdims=0),
        helper.make_node("ReduceMean", ["events"], ["own"], axes=[1, 2], keepdims=0),
        helper.make_node("Add", ["own", "largest"], ["score"]),
    ]
    content = over_events(nodes, value("score", FLOAT, ["n"]), size)
    limits = Limits(max_model_memory_bytes=LIMIT_MEBIBYTES * MEBIBYTE)
    return open_session(content, "score", None, 1, limits, "onnx")


def test_past_use_does_not_make_a_model_fail() -> None:
    """Models of many small and of few large pieces take turns, each within the limit: all runs succeed, with the same
    bits.
    """
    small, large, medium = holding(6, 8), holding(20, 2), holding(11, 4)
    first = [session.run(FEEDS) for session in (small, large, medium)]
    for _ in range(3):
        for session, wanted in zip((small, large, medium), first, strict=True):
            np.testing.assert_array_equal(session.run(FEEDS), wanted)


def test_a_model_beyond_the_limit_still_fails() -> None:
    """Nothing that is given back makes room for it."""
    with pytest.raises(DoesNotFit, match="Available memory"):
        holding(LIMIT_MEBIBYTES + 1, 1).run(FEEDS)


def test_running_models_are_not_disturbed() -> None:
    """Memory is given back between the runs of others, which go on as before."""
    session = holding(4, 3)
    wanted = session.run(FEEDS)
    for _ in range(5):
        release_unused_memory()
        np.testing.assert_array_equal(session.run(FEEDS), wanted)
