"""Files that end or hang the process that runs them: each ends in a named error or in a result, and in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from engines.pools_of_engines import SANDBOXED, call, running, upper
from hostile_builders import model, scored
from hostile_graphs import GRAPHS, HANGS
from sequela.concurrency.deadline import Deadline
from sequela.engines.exits import EngineLost
from sequela.engines.pool import EnginePool

LIMITS = replace(SANDBOXED, memory_bytes=600 << 20, cpu_seconds_per_task=120.0)
HANGS_SECONDS, SLOW_SECONDS, LIMIT_SECONDS = 1.0, 5.0, 60.0
PROMISED_SECONDS = 10.0
"""After the limit, until the caller has an error: a second, and more on a machine that is busy with other tests."""
NAMED = {"ENGINE_CRASHED", "ENGINE_KILLED", "ENGINE_OUT_OF_MEMORY"}
# Each of these ends its process by another signal or in another way.
FEW = ("gru_of_no_steps", "div_int32_by_minus_1", "attention_lstm_of_nothing", "svm_no_rho")


@pytest.fixture(scope="module")
def pool() -> Iterator[EnginePool]:
    with running("model_engine", 2, LIMITS) as started:
        yield started


def outcome(pool: EnginePool, content: bytes, seconds: float = LIMIT_SECONDS) -> str:
    """The reason of the error, or the result."""
    try:
        return pool.call(b"1\n" + content, Deadline(seconds), upper, "hostile").decode(errors="replace")
    except EngineLost as lost:
        return lost.reason


def check_the_others(pool: EnginePool) -> None:
    honest = b"1\n" + model(scored("events"))
    assert pool.call(honest, Deadline(60), upper, "honest") == b"ran 6"


@pytest.mark.parametrize(
    "name", [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in GRAPHS]
)
def test_each_ends_in_a_named_error_or_a_result_in_time(pool: EnginePool, name: str) -> None:
    """And models of others run on."""
    content = GRAPHS[name]()
    check_the_others(pool)
    seconds = HANGS_SECONDS if name in HANGS else SLOW_SECONDS if name in SLOW else LIMIT_SECONDS
    start = time.monotonic()
    found = outcome(pool, content, seconds)
    assert time.monotonic() - start < seconds + LIMITS.grace_seconds + PROMISED_SECONDS
    assert found.startswith("ran ") or found in NAMED or ": " in found, found
    assert (found == "ENGINE_KILLED") is (name in HANGS) or name in SLOW, found
    check_the_others(pool)


SLOW = (
    "functions_that_multiply",
    "huge_convolution",
    "concat_60_times",
    "tiled_strings",
    "functions_in_a_chain",
)
"""Whether these end in time depends on the machine."""


@pytest.mark.slow
def test_some_do_harm_still() -> None:
    """Otherwise the test above would show nothing: it is the runtime of today that crashes."""
    with running("model_engine", 1, LIMITS) as pool:
        found = [outcome(pool, GRAPHS[name]()) for name in (*FEW[:3], "sparse_tensors")]
    assert found == ["ENGINE_CRASHED", "ENGINE_CRASHED", "ENGINE_CRASHED", "ENGINE_OUT_OF_MEMORY"]


def test_a_file_that_is_no_model_gets_an_error_in_words(pool: EnginePool) -> None:
    """Of the runtime."""
    assert "InvalidProtobuf" in call(pool, "1\nno model", affinity="hostile")
