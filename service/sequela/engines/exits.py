"""Why an engine ended, and the error that its caller gets."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from sequela.errors import Unavailable

MAX_LOG_CHARACTERS = 2000
MEMORY_MESSAGES = ("std::bad_alloc", "MemoryError", "Cannot allocate memory")
"""What the C++ and Python runtimes write when they run out of memory."""


class ExitReason(StrEnum):
    """Why an engine ended. The values are labels of metrics."""

    CRASHED = "crashed"  # a signal of its own, such as SIGSEGV, or an exit
    OUT_OF_MEMORY = "out_of_memory"
    HOST_MEMORY = "host_memory"  # the machine had none left; an engine's own limit is OUT_OF_MEMORY
    CPU_LIMIT = "cpu_limit"
    OVERRAN = "overran"  # killed, because the task went on after its deadline and the grace period
    KILLED = "killed"  # by somebody else
    INVALID = "invalid"  # killed, because it broke the protocol
    START_FAILED = "start_failed"  # it did not get ready
    RETIRED = "retired"  # ended to make room for another affinity, or because it had nothing to do
    CLOSED = "closed"  # ended because the pool was closed


EXPECTED = frozenset({ExitReason.RETIRED, ExitReason.CLOSED})
"""Reasons for which the pool itself ends an engine."""
GUILTY = frozenset({ExitReason.CRASHED, ExitReason.OUT_OF_MEMORY, ExitReason.CPU_LIMIT, ExitReason.INVALID})
"""Reasons that the running task may have caused."""

ERROR_REASONS = {
    ExitReason.CRASHED: "ENGINE_CRASHED",
    ExitReason.START_FAILED: "ENGINE_CRASHED",
    ExitReason.OUT_OF_MEMORY: "ENGINE_OUT_OF_MEMORY",
    ExitReason.HOST_MEMORY: "ENGINE_OUT_OF_MEMORY",
    ExitReason.INVALID: "ENGINE_ANSWER_INVALID",
}
"""The reason of the caller's error. All others are ENGINE_KILLED."""


@dataclass(frozen=True, slots=True)
class EngineExit:
    """The end of an engine.

    Attributes:
        reason: Why it ended.
        detail: The same as a sentence without a subject, such as "was ended by SIGSEGV".
        affinity: The affinity of the engine, or "".
        log: The beginning of what a sandboxed engine wrote to its standard error last. Not to be trusted.
        busy: Whether it was running a task.
    """

    reason: ExitReason
    detail: str
    affinity: str = ""
    log: str = ""
    busy: bool = False


class EngineLost(Unavailable):
    """The engine ended during the task. `exit` says why."""

    def __init__(self, ending: EngineExit) -> None:
        super().__init__(
            ERROR_REASONS.get(ending.reason, "ENGINE_KILLED"),
            f"the process that ran the model {ending.detail}",
            metadata={"exit": str(ending.reason)},
        )
        self.exit = ending


class EngineTaskFailed(Exception):
    """The engine's function raised an exception that it should have turned into a result. The engine continues."""


class EngineListener(Protocol):
    """Is notified when engines of a pool start and end, from any thread. Must return quickly."""

    def engine_started(self, pool: str) -> None:
        """Is called when an engine is ready."""

    def engine_ended(self, pool: str, ending: EngineExit) -> None:
        """Is called when an engine has ended."""


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """What the forkserver reports about an engine that ended. `status` is None if the forkserver ended itself."""

    status: int | None
    log: str = ""


@dataclass(frozen=True, slots=True)
class KillCause:
    """Why the front killed an engine."""

    reason: ExitReason
    detail: str


def explain_exit(end: ProcessEnd, cause: KillCause | None, oom_kills: int) -> tuple[ExitReason, str]:
    """Returns why an engine ended, and the sentence about it.

    Args:
        end: What the forkserver saw.
        cause: Why the front killed it, if it did.
        oom_kills: How many processes of this machine the kernel has killed for memory since the engine started.
    """
    if end.status is None:
        return ExitReason.KILLED, "was ended together with its parent process"
    if not os.WIFSIGNALED(end.status):
        code = os.waitstatus_to_exitcode(end.status)
        return _by_message(end.log) or (ExitReason.CRASHED, f"ended by itself with exit status {code}")
    number = os.WTERMSIG(end.status)
    if number == signal.SIGKILL:
        return _killed(cause, oom_kills)
    if number == signal.SIGXCPU:
        return ExitReason.CPU_LIMIT, "used more processor time than one task may use"
    return _by_message(end.log) or (ExitReason.CRASHED, f"was ended by {_signal_name(number)}")


def count_oom_kills() -> int:
    """Returns how many processes the kernel has killed for memory since it started; 0 where that is not known."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def _killed(cause: KillCause | None, oom_kills: int) -> tuple[ExitReason, str]:
    if cause:
        return cause.reason, cause.detail
    if oom_kills:
        return ExitReason.HOST_MEMORY, "was killed by the kernel, which had no memory left"
    return ExitReason.KILLED, "was killed from outside"


def _by_message(log: str) -> tuple[ExitReason, str] | None:
    if any(message in log for message in MEMORY_MESSAGES):
        return ExitReason.OUT_OF_MEMORY, "wanted more memory than a model may use"
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
