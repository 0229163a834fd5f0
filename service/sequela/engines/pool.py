"""A pool of engines, seen from the front."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.engines.backoff import Backoff
from sequela.engines.engine import Answer, Engine
from sequela.engines.exits import (
    GUILTY,
    EngineExit,
    EngineListener,
    EngineLost,
    EngineTaskFailed,
    ExitReason,
)
from sequela.engines.fork_client import TRUSTED, UNTRUSTED
from sequela.engines.limits import EngineLimits
from sequela.engines.orders import ForkOrder
from sequela.engines.places import Places, Waiter
from sequela.engines.watcher import Watcher
from sequela.errors import OutOfTime, Unavailable

log = logging.getLogger("sequela.engines")

POLL_SECONDS = 0.05
"""How often, in seconds, a call that waits for an engine checks its deadline."""
IDLE_CHECKS = 4
"""How many times within `limits.idle_seconds` the pool looks for engines that have been idle for too long."""
MIN_IDLE_CHECK_SECONDS, MAX_IDLE_CHECK_SECONDS = 0.05, 30.0
RETRY_SECONDS = 1.0
"""When a caller should retry, in seconds, if its deadline passed before an engine was free."""
DOWN_SECONDS = 2.0
"""How long a call waits, in seconds, while no engine at all is up."""


class EnginePool:
    """Runs tasks in engines, one task at a time in each.

    A pool that is not lazy starts all engines at once, and replaces each that ends. A lazy pool starts an engine for
    each affinity when a task comes. An engine then serves its affinity only. If all slots are taken, the least recently
    used idle engine is ended. So is one that has had nothing to do for `limits.idle_seconds`.

    Args:
        name: The name of the pool in metrics and logs.
        size: How many engines there are at most.
        entry: `package.module:function`, which an engine calls as `function(config, channel)`. It imports all that the
            engine needs, calls `channel.serve`, and never returns before.
        config: Is passed to the entry.
        limits: What each engine may use.
        listener: Is notified when engines start and end.
        cores: The cores that the engines are bound to, in turn. Empty: none.
        on_ready: Is called with what each engine says when it is ready, before it gets a task.
    """

    def __init__(
        self,
        name: str,
        size: int,
        entry: str,
        config: bytes,
        limits: EngineLimits,
        listener: EngineListener,
        cores: Sequence[int] = (),
        on_ready: Callable[[bytes], None] | None = None,
    ) -> None:
        self._name = name
        self._size = size
        self._entry = entry
        self._config = config
        self._limits = limits
        self._listener = listener
        self._cores = tuple(cores)
        self._on_ready = on_ready or (lambda _: None)
        self._forkserver = UNTRUSTED if limits.sandboxed else TRUSTED
        self._places = Places(size, limits.lazy)
        self._backoffs = [Backoff() for _ in range(size)]
        self._closed = threading.Event()
        self._started = False
        self._watcher: Watcher
        self._starters: set[threading.Thread] = set()
        self._idle_checks = threading.Thread(target=self._end_idle, name=f"idle-{name}", daemon=True)

    @property
    def up(self) -> int:
        """How many engines can take tasks, busy or not. A lazy pool counts those that it could start, too."""
        if self._closed.is_set() or not self._started:
            return 0
        return self._size if self._limits.lazy else self._places.ready

    def start(self) -> None:
        """Starts the engines, unless the pool is lazy, and returns without waiting for them."""
        self._forkserver.acquire()
        self._watcher = Watcher(self._name)
        self._started = True
        if self._limits.lazy:
            self._idle_checks.start()
            return
        for slot in range(self._size):
            self._start_soon(slot)

    def prepare(self) -> None:
        """Lets the forkserver import what the engines need, so that the first engine of a lazy pool starts quickly."""
        self._forkserver.prepare(self._entry)

    def call(self, task: bytes, deadline: Deadline, answer: Answer, affinity: str = "") -> bytes:
        """Sends a task to a free engine, and returns its result.

        The deadline may change meanwhile: the engine follows it. An engine that has not finished after the deadline and
        the grace period is killed, whatever the calling thread does.

        Args:
            task: What to do.
            deadline: When the result must be there.
            answer: Answers the engine's questions, in the calling thread. An exception that it raises ends the task,
                and is raised here.
            affinity: What the engine is used for, such as the digest of a model. Only lazy pools have affinities.

        Raises:
            EngineLost: The engine ended during the task.
            EngineTaskFailed: The engine's function raised an exception.
            InvalidInput: The task is longer than a frame may be.
            Unavailable: No engine is up, or the pool was closed.
            OutOfTime: The deadline passed before an engine was free.
            Cancelled: The request was cancelled before an engine was free, or the engine did not stop when it was
                cancelled.
        """
        engine = self._take(affinity if self._limits.lazy else "", deadline)
        try:
            return engine.run(task, deadline, answer, self._watcher)
        except EngineLost as lost:
            if lost.exit.reason is ExitReason.OVERRAN and deadline.cancelled:
                deadline.check()
            raise
        finally:
            self._give_back(engine)

    def renew(self, config: bytes, task: bytes, deadline: Deadline) -> list[bytes]:
        """Gives engines that start from now on another configuration, and sends a task to each that has started.

        One engine after another gets the task as soon as it is free, so that the others continue with their work.

        Args:
            config: The configuration.
            task: Brings an engine up to date. An engine that fails on it is ended.
            deadline: When each engine must be done. Waiting for a free engine has no limit.

        Returns:
            The results, without those of engines that ended before they got the task. The engines that replace them
            start with the new configuration.

        Raises:
            EngineLost: An engine ended because of the task.
        """
        self._config = config
        results = (self._send_to(engine, task, deadline) for engine in self._places.all())
        return [result for result in results if result is not None]

    def retire(self, affinity: str) -> None:
        """Ends the idle engines of an affinity, such as those of a model that was deleted."""
        for engine in self._places.remove(affinity):
            engine.kill(ExitReason.RETIRED, "was ended, because its model is not needed any more")

    def close(self) -> None:
        """Ends all engines, and waits until they are gone. Calls that wait or run fail."""
        if not self._started or self._closed.is_set():
            return
        self._closed.set()
        self._places.close()
        for engine in self._places.all():
            engine.kill(ExitReason.CLOSED, "was ended, because the server stops")
        for thread in tuple(self._starters):
            # One that is just being started finds the pool closed, and ends by itself.
            with contextlib.suppress(RuntimeError):
                thread.join()
        for engine in self._places.all():
            engine.wait()
        if self._limits.lazy:
            self._idle_checks.join()
        self._watcher.close()
        self._forkserver.release()

    def _take(self, affinity: str, deadline: Deadline) -> Engine:
        waiter = self._places.enter(affinity)
        try:
            self._wait(waiter, deadline)
        except BaseException:
            self._places.leave(waiter)
            raise
        if waiter.engine:
            waiter.engine.begin_use()
            return waiter.engine
        try:
            return self._start(waiter.slot, affinity, self._start_deadline(deadline))
        except EngineLost:
            if deadline.remaining <= 0:
                raise _too_late() from None
            raise

    def _send_to(self, engine: Engine, task: bytes, deadline: Deadline) -> bytes | None:
        waiter = self._places.enter("", engine)
        while not waiter.granted.wait(POLL_SECONDS):
            if engine.lost:
                self._places.leave(waiter)
                return None
        if waiter.engine is None:  # the pool was closed
            return None
        engine.begin_use()
        try:
            return engine.run(task, deadline.beside(), _refuse_question, self._watcher)
        except EngineLost as lost:
            if lost.exit.reason in GUILTY or lost.exit.reason is ExitReason.OVERRAN:
                raise
            return None
        except EngineTaskFailed as error:
            engine.kill(ExitReason.START_FAILED, f"could not be brought up to date: {error}")
            return None
        finally:
            self._give_back(engine)

    def _wait(self, waiter: Waiter, deadline: Deadline) -> None:
        since = time.monotonic()
        while not waiter.granted.wait(min(POLL_SECONDS, max(0.0, deadline.remaining))):
            self._check_open()
            if not self.up and time.monotonic() > since + DOWN_SECONDS:
                raise Unavailable("NO_ENGINE", "no process that runs models is up", retry_after=1.0)
            try:
                deadline.check()
            except DeadlinePassed:
                raise _spent_waiting() from None
            self._places.grant()
        self._check_open()

    def _give_back(self, engine: Engine) -> None:
        engine.end_use()
        if engine.tasks_done:
            self._backoffs[engine.slot].reset()
        if not engine.lost:
            self._places.give_back(engine)

    def _start_deadline(self, deadline: Deadline) -> Deadline:
        return Deadline(min(self._limits.start_seconds, deadline.remaining))

    def _start(self, slot: int, affinity: str, deadline: Deadline) -> Engine:
        """Starts an engine in a slot that belongs to the caller; gives the slot back if that fails."""
        core = self._cores[slot % len(self._cores)] if self._cores else -1
        engine = Engine(slot, affinity, self._limits, self._note_end)
        if not self._places.add(engine):
            raise _closed()
        order = ForkOrder.of(self._entry, self._limits, core)
        try:
            self._on_ready(engine.start(self._forkserver, order, self._config, self._watcher, deadline))
        except EngineLost:
            engine.end_use()
            raise
        except BaseException as error:
            engine.kill(ExitReason.START_FAILED, f"was not accepted: {error}")
            engine.end_use()
            raise
        self._places.note_ready(engine)
        self._listener.engine_started(self._name)
        return engine

    def _end_idle(self) -> None:
        seconds = self._limits.idle_seconds
        pause = min(MAX_IDLE_CHECK_SECONDS, max(MIN_IDLE_CHECK_SECONDS, seconds / IDLE_CHECKS))
        while not self._closed.wait(pause):
            for engine in self._places.remove_unused_since(time.monotonic() - seconds):
                engine.kill(ExitReason.RETIRED, f"was ended, because it had nothing to do for {seconds:g} s")

    def _start_soon(self, slot: int) -> None:
        thread = threading.Thread(
            target=self._replace, args=(slot,), name=f"start-{self._name}-{slot}", daemon=True
        )
        self._starters.add(thread)
        thread.start()

    def _replace(self, slot: int) -> None:
        try:
            if self._closed.wait(self._backoffs[slot].next_delay()):
                return
            engine = self._start(slot, "", Deadline(self._limits.start_seconds))
        except Exception:
            return  # the listener was notified, and `_note_end` has begun the next try
        finally:
            self._starters.discard(threading.current_thread())
        self._give_back(engine)

    def _note_end(self, engine: Engine, ending: EngineExit) -> None:
        self._places.drop(engine)
        try:
            self._listener.engine_ended(self._name, ending)
        except Exception:  # this thread serves all engines
            log.exception("an engine's end could not be reported")
        if not self._limits.lazy and not self._closed.is_set():
            self._start_soon(engine.slot)

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise _closed()


def _refuse_question(_: bytes) -> bytes:
    raise RuntimeError("an engine that is brought up to date has nothing to ask")


def _closed() -> Unavailable:
    return Unavailable("SHUTTING_DOWN", "the server stops")


def _too_late() -> OutOfTime:
    return OutOfTime(
        "DEADLINE_TOO_SHORT", "the deadline passed before a process that runs models had started"
    )


def _spent_waiting() -> OutOfTime:
    text = "the deadline passed before a process that runs models was free; retry later, or allow more time"
    return OutOfTime("DEADLINE_SPENT_WAITING", text, retry_after=RETRY_SECONDS)
