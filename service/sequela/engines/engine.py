"""One engine, seen from the front."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Callable

from sequela.concurrency.deadline import Deadline
from sequela.engines.control import DeadlineState, send_state
from sequela.engines.exits import (
    MAX_LOG_CHARACTERS,
    EngineExit,
    EngineLost,
    EngineTaskFailed,
    ExitReason,
    KillCause,
    ProcessEnd,
    count_oom_kills,
    explain_exit,
)
from sequela.engines.fork_client import ForkedEngine, ForkFailed, ForkServer
from sequela.engines.frames import FrameConnection, FrameConnectionLost, FrameInvalid, FrameTooLong, Kind
from sequela.engines.limits import EngineLimits
from sequela.engines.orders import ForkOrder
from sequela.engines.watcher import Watch, Watcher
from sequela.errors import InvalidInput

Answer = Callable[[bytes], bytes]

LAST_WORDS_SECONDS = 0.5
"""How long an engine that closed its connection may take to end by itself, so that its own reason is known."""
IDLE_CPU_SECONDS = 1.0
"""Processor time that an engine may use between two tasks, if the pool bounds that of tasks."""
END_SECONDS = 10.0
"""How long the front waits for the kernel to end a process that it killed."""
NUMBER_BYTES = 8
MAX_TEXT_BYTES = 4000  # of what an engine says about an error


class Engine:
    """An engine process. One thread at a time uses it; any thread may kill it.

    Args:
        slot: The number of its slot in the pool.
        affinity: What it is used for, or "".
        limits: The limits of the pool.
        on_end: Is called once when the process has ended, from another thread.
    """

    def __init__(
        self, slot: int, affinity: str, limits: EngineLimits, on_end: Callable[[Engine, EngineExit], None]
    ) -> None:
        self.slot = slot
        self.affinity = affinity
        self.used_at = time.monotonic()
        self.tasks_done = 0
        self._limits = limits
        self._on_end = on_end
        self._oom_kills = count_oom_kills()
        self._task = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._exit: EngineExit | None = None
        self._cause: KillCause | None = None
        self._process: ForkedEngine | None = None
        self._in_use = True  # by the thread that starts it
        self._working = False
        self._connection: FrameConnection
        self._control: socket.socket

    @property
    def lost(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._exit is not None or self._cause is not None

    def start(
        self, forkserver: ForkServer, order: ForkOrder, config: bytes, watcher: Watcher, deadline: Deadline
    ) -> bytes:
        """Forks the process, and returns what it says when it is ready.

        Raises:
            EngineLost: It could not be forked, ended, or was not ready by the deadline.
        """
        self._fork(forkserver, order, max(0.0, deadline.remaining))
        watch = Watch(0, deadline, 0.0, lambda _: True, self._give_up_start)
        try:
            with watcher.watching(watch):
                self._connection.send(Kind.CONFIG, config)
                kind, body = self._connection.receive()
        except (FrameConnectionLost, FrameInvalid):
            raise self._gone(ExitReason.START_FAILED, "ended before it was ready") from None
        if kind is not Kind.READY:
            raise self._gone(ExitReason.START_FAILED, f"could not start:\n{_text(body)}")
        self._limit_processor_time(IDLE_CPU_SECONDS)
        return body

    def run(self, task: bytes, deadline: Deadline, answer: Answer, watcher: Watcher) -> bytes:
        """Sends a task, answers questions, and returns the result.

        Raises:
            EngineLost: The engine ended, or was killed.
            EngineTaskFailed: Its function raised an exception.
            InvalidInput: The task is longer than a frame may be.
        """
        self._task += 1
        self._limit_processor_time(self._limits.cpu_seconds_per_task)
        watch = Watch(self._task, deadline, self._limits.grace_seconds, self._forward, self._overrun)
        self._working = True
        try:
            with watcher.watching(watch):
                self._send_task(watch, task)
                return self._converse(watch, answer)
        except FrameConnectionLost:
            raise self._gone(ExitReason.CRASHED, "closed its connection before it sent a result") from None
        except FrameInvalid as error:
            raise self._gone(ExitReason.INVALID, f"broke the protocol: {error}") from None
        finally:
            if self._working and not self.lost:
                self.kill(ExitReason.KILLED, "was ended, because its caller gave up")
            self._limit_processor_time(IDLE_CPU_SECONDS)
            self._working = False

    def begin_use(self) -> None:
        """Marks it as used by the calling thread."""
        with self._lock:
            self._in_use = True

    def end_use(self) -> None:
        """Marks it as not in use, and closes its files if the process has ended."""
        self.used_at = time.monotonic()
        with self._lock:
            self._in_use = False
            if self._exit:
                self._close()

    def kill(self, reason: ExitReason, detail: str) -> None:
        """Ends the process at once. The first reason counts."""
        with self._lock:
            self._cause = self._cause or KillCause(reason, detail)
            if self._process is None:  # not yet, or not any more
                return
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process.pidfd, signal.SIGKILL)
            self._connection.shut_down()

    def wait(self) -> None:
        """Waits until the process has ended, but at most `END_SECONDS`."""
        self._ended.wait(END_SECONDS)

    def _fork(self, forkserver: ForkServer, order: ForkOrder, seconds: float) -> None:
        try:
            with contextlib.ExitStack() as ours:
                data, their_data = socket.socketpair()
                ours.enter_context(data)
                with their_data:
                    control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                    ours.enter_context(control)
                    with their_control:
                        sockets = their_data, their_control
                        process = forkserver.fork(order, sockets, self._note_end, seconds)
                ours.pop_all()
        except (ForkFailed, OSError) as error:  # such as no room for open files or for another process
            failed = EngineExit(ExitReason.START_FAILED, f"could not be started: {error}", self.affinity)
            self._finish(failed)
            raise EngineLost(failed) from error
        self._connection, self._control = FrameConnection(data, self._limits.max_frame_bytes), control
        with self._lock:
            self._process = process
            early = self._cause
        if early:
            self.kill(early.reason, early.detail)

    def _send_task(self, watch: Watch, task: bytes) -> None:
        try:
            self._connection.send(Kind.TASK, watch.state().pack(), task)
        except FrameTooLong as error:
            self._working = False
            raise InvalidInput("TASK_TOO_LARGE", f"the task for the model {error}") from None

    def _converse(self, watch: Watch, answer: Answer) -> bytes:
        questions = size = 0
        problem: Exception | None = None
        while True:
            kind, body = self._receive()
            if kind is Kind.QUESTION:
                questions, size = questions + 1, size + len(body)
                self._check_budget(questions, size)
                problem = self._reply(watch, answer, body) or problem
            elif kind is Kind.OUT_OF_MEMORY:
                raise self._gone(ExitReason.OUT_OF_MEMORY, "wanted more memory than a model may use")
            else:
                self._working = False
                self.tasks_done += 1
                return _result(kind, body, problem)

    def _receive(self) -> tuple[Kind, bytes]:
        kind, body = self._connection.receive()
        if kind not in (Kind.QUESTION, Kind.RESULT, Kind.FAILED, Kind.OUT_OF_MEMORY):
            raise FrameInvalid(f"a frame of the kind {kind.name} was not expected")
        if int.from_bytes(body[:NUMBER_BYTES], "big") != self._task or len(body) < NUMBER_BYTES:
            raise FrameInvalid("a frame belongs to another task")
        return kind, body[NUMBER_BYTES:]

    def _reply(self, watch: Watch, answer: Answer, question: bytes) -> Exception | None:
        """Answers a question. Returns the error, if any, which is raised once the engine has ended the task."""
        try:
            self._connection.send(Kind.ANSWER, answer(question))
        except FrameConnectionLost:
            raise
        except Exception as error:
            watch.stop()
            self._connection.send(Kind.NO_ANSWER)
            return error
        return None

    def _check_budget(self, questions: int, size: int) -> None:
        if questions > self._limits.max_questions:
            raise FrameInvalid(f"it asked more than {self._limits.max_questions:,} questions in one task")
        if size > self._limits.max_question_bytes:
            raise FrameInvalid(
                f"its questions in one task have more than {self._limits.max_question_bytes:,} bytes"
            )

    def _forward(self, state: DeadlineState) -> bool:
        return send_state(self._control, state)

    def _overrun(self) -> None:
        self.kill(ExitReason.OVERRAN, "was killed, because it did not stop at the deadline")

    def _give_up_start(self) -> None:
        self.kill(ExitReason.START_FAILED, "was not ready in time")

    def _limit_processor_time(self, seconds: float) -> None:
        """Lets the process use this much processor time from now on, if the pool bounds it at all."""
        process = self._process
        if not self._limits.cpu_seconds_per_task or process is None or self._ended.is_set():
            return
        # The processor clock of another process, as clock_getcpuclockid makes it.
        clock = (~process.pid << 3) | 2
        with contextlib.suppress(OSError):
            used = time.clock_gettime(clock)
            # The hard limit stays, because only a privileged process may raise it again.
            resource.prlimit(
                process.pid, resource.RLIMIT_CPU, (int(used + seconds) + 1, resource.RLIM_INFINITY)
            )

    def _gone(self, reason: ExitReason, detail: str) -> EngineLost:
        """Waits for the end of the engine, and returns the error for its caller."""
        if not self._ends_by_itself(LAST_WORDS_SECONDS if reason is ExitReason.CRASHED else 0.0):
            self.kill(reason, detail)
        self.wait()
        return EngineLost(self._exit or EngineExit(reason, detail, self.affinity))

    def _ends_by_itself(self, seconds: float) -> bool:
        if self._process is None or self._cause:
            return False
        poll = select.poll()
        poll.register(self._process.pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _note_end(self, end: ProcessEnd) -> None:
        reason, detail = explain_exit(end, self._cause, count_oom_kills() - self._oom_kills)
        self._finish(EngineExit(reason, detail, self.affinity, end.log[:MAX_LOG_CHARACTERS], self._working))

    def _finish(self, ending: EngineExit) -> None:
        with self._lock:
            self._exit = ending
            if self._process:
                self._connection.shut_down()
            if not self._in_use:
                self._close()
        self._ended.set()
        self._on_end(self, ending)

    def _close(self) -> None:
        """Closes the files of the process. The caller holds the lock."""
        if self._process:
            os.close(self._process.pidfd)
            self._connection.close()
            self._control.close()
            self._process = None


def _result(kind: Kind, body: bytes, problem: Exception | None) -> bytes:
    if problem is not None:
        raise problem
    if kind is Kind.FAILED:
        raise EngineTaskFailed(_text(body))
    return body


def _text(body: bytes) -> str:
    return body[-MAX_TEXT_BYTES:].decode(errors="replace")
