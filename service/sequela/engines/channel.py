"""An engine's side of the connection to the front."""

from __future__ import annotations

import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable

from sequela.concurrency.deadline import Deadline
from sequela.engines.control import LAYOUT, DeadlineState
from sequela.engines.frames import FrameConnection, FrameConnectionLost, FrameInvalid, Kind

Ask = Callable[[bytes], bytes]
"""Sends a question to the front during a task, and returns the answer. Any thread of the engine may call it."""

Handle = Callable[[bytes, Ask, Deadline], bytes]
"""Works on a task, and returns the result. It turns the errors that it expects into results."""

MAX_TEXT = 4000
SWITCH_SECONDS = 0.0005
"""How long a thread runs Python while another one has to note a change of the deadline. Python's default is 5 ms."""


class QuestionFailed(Exception):
    """The front could not answer a question. The task must end; nobody waits for its result any more."""


class Channel:
    """Receives tasks from the front, and sends results. The front knows when to end the process.

    Args:
        connection: Carries tasks, questions and results.
        control: Carries changes of deadlines.
        seal: Puts the process into its sandbox, if it has one.
    """

    def __init__(self, connection: FrameConnection, control: socket.socket, seal: Callable[[], None]) -> None:
        self._connection = connection
        self._control = control
        self._seal: Callable[[], None] | None = seal
        # Of the running task, or the last one; states of later tasks may arrive before the task itself does.
        self._deadline = Deadline()
        self._state = DeadlineState(0, 0.0, 0.0, 0.0, False, False)
        self._task = 0
        self._lock = threading.Lock()

    def config(self) -> bytes:
        """Returns the configuration of the pool, which comes before everything else."""
        kind, config = self._connection.receive()
        if kind is not Kind.CONFIG:
            raise FrameInvalid(f"expected the configuration, not {kind.name}")
        return config

    def seal(self) -> None:
        """Puts the process into its sandbox. Afterwards it opens no file and imports no module.

        Call it while there is only one thread, before anything untrusted is loaded. `serve` calls it if it was not
        called before.
        """
        if self._seal:
            self._seal()
            self._seal = None

    def serve(self, ready: bytes, handle: Handle) -> None:
        """Reports that the engine is ready, and works on tasks. It never returns: the process ends with the connection.

        Args:
            ready: Is passed to the pool's `on_ready`.
            handle: Works on one task at a time, in this thread.
        """
        self.seal()
        sys.setswitchinterval(SWITCH_SECONDS)
        threading.Thread(target=self._follow_deadlines, name="deadlines", daemon=True).start()
        try:
            self._connection.send(Kind.READY, ready)
            while True:
                kind, body = self._connection.receive()
                if kind is not Kind.TASK:
                    raise FrameInvalid(f"expected a task, not {kind.name}")
                self._work(body, handle)
        except FrameConnectionLost:
            os._exit(0)

    def fail(self, error: BaseException) -> None:
        """Tells the front that the engine cannot start, and waits to be ended, so that the front learns this first."""
        self._connection.send(Kind.FAILED, describe(error))
        self._connection.receive()

    def _work(self, body: bytes, handle: Handle) -> None:
        state, task = DeadlineState.unpack(body[: LAYOUT.size]), body[LAYOUT.size :]
        number = _number(state.task)
        questions = Questions(self._connection, number)
        try:
            result = handle(task, questions.ask, self._begin(state))
            questions.close()
            self._connection.send(Kind.RESULT, number, result)
        except FrameConnectionLost:
            raise
        except MemoryError:
            questions.close()
            self._connection.send(Kind.OUT_OF_MEMORY, number)
        except Exception as error:
            questions.close()
            self._connection.send(Kind.FAILED, number, describe(error))

    def _begin(self, state: DeadlineState) -> Deadline:
        with self._lock:
            self._task, self._deadline = state.task, state.deadline()
            if self._state.task == state.task:
                self._state.apply(self._deadline)
            return self._deadline

    def _follow_deadlines(self) -> None:
        while packed := self._control.recv(LAYOUT.size):
            with self._lock:
                self._state = DeadlineState.unpack(packed)
                if self._state.task == self._task:
                    self._state.apply(self._deadline)
        os._exit(0)  # the front is gone


class Questions:
    """The questions of one task."""

    def __init__(self, connection: FrameConnection, number: bytes) -> None:
        self._connection = connection
        self._number = number
        self._open = True
        self._lock = threading.Lock()

    def ask(self, question: bytes) -> bytes:
        """Sends a question, and waits for the answer.

        Raises:
            QuestionFailed: The front could not answer, or the task is over.
        """
        with self._lock:
            if not self._open:
                raise QuestionFailed("the task of this question is over")
            self._connection.send(Kind.QUESTION, self._number, question)
            kind, answer = self._connection.receive()
        if kind is not Kind.ANSWER:
            raise QuestionFailed("the question could not be answered")
        return answer

    def close(self) -> None:
        """Refuses questions from now on, such as those of threads that outlive their task."""
        with self._lock:
            self._open = False


def describe(error: BaseException) -> bytes:
    """Returns the end of an error's traceback."""
    return "".join(traceback.format_exception(error))[-MAX_TEXT:].encode(errors="replace")


def _number(task: int) -> bytes:
    return task.to_bytes(8, "big")
