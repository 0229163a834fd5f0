"""Decides which engine a task gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sequela.engines.engine import Engine
from sequela.engines.exits import ExitReason

PATIENCE_SECONDS = 1.0
"""How long, in seconds, a task waits before it may end an idle engine that other tasks wait for or have just used."""


@dataclass(slots=True, eq=False)
class Waiter:
    """A task that waits for an engine. When it is granted, it has an engine, or a slot in which it starts one.

    Attributes:
        affinity: The affinity that it needs.
        since: When it began to wait, in seconds of the monotonic clock.
        granted: Is set when its turn has come.
        engine: The engine that it got, or None.
        slot: The slot in which it starts an engine otherwise.
        victim: The engine that was ended to make room for it, or None.
        wanted: The one engine that it waits for; None for any of its affinity.
    """

    affinity: str
    since: float = field(default_factory=time.monotonic)
    granted: threading.Event = field(default_factory=threading.Event)
    engine: Engine | None = None
    slot: int = -1
    victim: Engine | None = None
    wanted: Engine | None = None

    def takes(self, engine: Engine) -> bool:
        """Returns whether this engine may work on the task."""
        return engine is self.wanted if self.wanted else engine.affinity == self.affinity


class Places:
    """The engines of a pool, and the tasks that wait for them, in the order in which they came.

    Args:
        size: How many engines there are at most.
        lazy: Whether a task may start an engine. If not, all slots are taken from the start.
    """

    def __init__(self, size: int, lazy: bool) -> None:
        self._lock = threading.Lock()
        self._free = list(reversed(range(size))) if lazy else []
        self._lazy = lazy
        self._engines: set[Engine] = set()
        self._ready: set[Engine] = set()
        self._idle: list[Engine] = []  # the least recently used one comes first
        self._waiters: list[Waiter] = []
        self._closed = False

    @property
    def ready(self) -> int:
        """How many engines can work."""
        return len(self._ready)

    def all(self) -> tuple[Engine, ...]:
        """Returns all engines."""
        with self._lock:
            return tuple(self._engines)

    def enter(self, affinity: str, wanted: Engine | None = None) -> Waiter:
        """Adds a task that waits, for the engine `wanted` if it is given, and gives free engines to waiting tasks."""
        waiter = Waiter(affinity, wanted=wanted)
        with self._lock:
            self._waiters.append(waiter)
            self._grant()
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Removes a task that no longer wants an engine. What it was granted goes to others."""
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.engine in self._engines:
                self._idle.append(waiter.engine)
            elif waiter.slot >= 0:
                self._free.append(waiter.slot)
            self._grant()

    def grant(self) -> None:
        """Gives engines to waiting tasks again, since after `PATIENCE_SECONDS` a task may end engines of others."""
        with self._lock:
            self._grant()

    def add(self, engine: Engine) -> bool:
        """Adds an engine that is about to start. Returns False if the pool was closed."""
        with self._lock:
            if not self._closed:
                self._engines.add(engine)
            return not self._closed

    def note_ready(self, engine: Engine) -> None:
        """Counts an engine that has started."""
        with self._lock:
            if engine in self._engines:
                self._ready.add(engine)

    def give_back(self, engine: Engine) -> None:
        """Makes an engine free for the next task."""
        with self._lock:
            if engine in self._engines:
                self._idle.append(engine)
                self._grant()

    def drop(self, engine: Engine) -> None:
        """Removes an engine that has ended."""
        with self._lock:
            if engine not in self._engines:
                return
            self._engines.discard(engine)
            self._ready.discard(engine)
            if engine in self._idle:
                self._idle.remove(engine)
            if self._lazy:
                self._free.append(engine.slot)
            self._grant()

    def remove(self, affinity: str) -> list[Engine]:
        """Removes the idle engines of an affinity, and returns them."""
        return self._take_idle(lambda engine: engine.affinity == affinity)

    def remove_unused_since(self, moment: float) -> list[Engine]:
        """Removes and returns the idle engines that were not used since `moment`, on the monotonic clock."""
        return self._take_idle(lambda engine: engine.used_at < moment)

    def close(self) -> None:
        """Wakes all tasks that wait."""
        with self._lock:
            self._closed = True
            for waiter in self._waiters:
                waiter.granted.set()
            self._waiters.clear()

    def _take_idle(self, chosen: Callable[[Engine], bool]) -> list[Engine]:
        with self._lock:
            removed = [engine for engine in self._idle if chosen(engine)]
            self._idle = [engine for engine in self._idle if engine not in removed]
            return removed

    def _grant(self) -> None:
        if not self._closed:
            self._waiters = [waiter for waiter in self._waiters if not self._serve(waiter)]

    def _serve(self, waiter: Waiter) -> bool:
        waiter.engine = self._pick(waiter)
        if waiter.engine is None and waiter.wanted:
            return False
        if waiter.engine is None and self._free:
            waiter.slot = self._free.pop()
        elif waiter.engine is None:
            return self._make_room(waiter)
        waiter.granted.set()
        return True

    def _pick(self, waiter: Waiter) -> Engine | None:
        found = next(filter(waiter.takes, self._idle), None)
        if found:
            self._idle.remove(found)
        return found

    def _make_room(self, waiter: Waiter) -> bool:
        """Ends an idle engine of another affinity. The task waits until it has ended and its slot is free."""
        if waiter.victim not in self._engines:
            waiter.victim = self._find_victim(waiter)
            if waiter.victim:
                self._idle.remove(waiter.victim)
                waiter.victim.kill(ExitReason.RETIRED, "was ended to make room for another model")
        return False

    def _find_victim(self, waiter: Waiter) -> Engine | None:
        now = time.monotonic()
        if now >= waiter.since + PATIENCE_SECONDS:
            return next(iter(self._idle), None)
        wanted = {each.affinity for each in self._waiters}
        unused_for = PATIENCE_SECONDS if any(e.affinity == waiter.affinity for e in self._engines) else 0.0
        return next(
            (e for e in self._idle if e.affinity not in wanted and now >= e.used_at + unused_for), None
        )
