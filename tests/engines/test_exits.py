"""What is said about an engine that ended."""

from __future__ import annotations

import signal

import pytest
from sequela.api.errors import to_failure
from sequela.engines.backoff import MAX_SECONDS, Backoff
from sequela.engines.exits import (
    EngineExit,
    EngineLost,
    ExitReason,
    KillCause,
    ProcessEnd,
    count_oom_kills,
    explain_exit,
)

OVERRAN = KillCause(ExitReason.OVERRAN, "was killed, because it did not stop at the deadline")


@pytest.mark.parametrize(
    ("end", "cause", "oom_kills", "reason", "words"),
    [
        (ProcessEnd(signal.SIGSEGV), None, 0, ExitReason.CRASHED, "SIGSEGV"),
        (ProcessEnd(signal.SIGABRT | 128), None, 0, ExitReason.CRASHED, "SIGABRT"),
        (
            ProcessEnd(signal.SIGSEGV),
            OVERRAN,
            0,
            ExitReason.CRASHED,
            "SIGSEGV",
        ),  # it was faster than the front
        (ProcessEnd(50), None, 0, ExitReason.CRASHED, "signal 50"),
        (ProcessEnd(3 << 8), None, 0, ExitReason.CRASHED, "exit status 3"),
        (ProcessEnd(0), None, 0, ExitReason.CRASHED, "exit status 0"),
        (ProcessEnd(signal.SIGABRT, "what():  std::bad_alloc"), None, 0, ExitReason.OUT_OF_MEMORY, "memory"),
        (ProcessEnd(1 << 8, "MemoryError"), None, 0, ExitReason.OUT_OF_MEMORY, "memory"),
        (ProcessEnd(signal.SIGKILL), OVERRAN, 1, ExitReason.OVERRAN, "deadline"),
        (ProcessEnd(signal.SIGKILL), None, 0, ExitReason.KILLED, "from outside"),
        (ProcessEnd(signal.SIGKILL), None, 1, ExitReason.HOST_MEMORY, "kernel"),
        (ProcessEnd(signal.SIGXCPU), None, 0, ExitReason.CPU_LIMIT, "processor time"),
        (ProcessEnd(None), None, 0, ExitReason.KILLED, "parent"),
    ],
)
def test_each_end_has_a_reason(
    end: ProcessEnd, cause: KillCause | None, oom_kills: int, reason: ExitReason, words: str
) -> None:
    """From its status, its last words, and what the front did."""
    found, detail = explain_exit(end, cause, oom_kills)
    assert found is reason
    assert words in detail


@pytest.mark.parametrize("reason", ExitReason)
def test_callers_get_a_status_and_a_reason(reason: ExitReason) -> None:
    """UNAVAILABLE, whatever the reason."""
    failure = to_failure(EngineLost(EngineExit(reason, "was ended by SIGSEGV")))
    assert failure.codes.http == 503
    assert failure.reason.startswith("ENGINE_")
    assert failure.message == "the process that ran the model was ended by SIGSEGV"
    assert failure.metadata == (("exit", str(reason)),)


def test_the_kernel_counts_what_it_ended() -> None:
    """On Linux."""
    assert count_oom_kills() >= 0


def test_delays_grow_up_to_a_limit_and_start_again() -> None:
    """The first start and the first replacement are at once."""
    backoff = Backoff()
    delays = [backoff.next_delay() for _ in range(40)]
    assert delays[:5] == [0, 0, 0.1, 0.2, 0.4]
    assert delays[-1] == MAX_SECONDS
    backoff.reset()
    assert [backoff.next_delay() for _ in range(2)] == [0, 0.1]
