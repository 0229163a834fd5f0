"""Callers that ask at random times, as many a second as they are told, and note what became of each call."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from sequela_client import AsyncSequela
from sequela_client.errors import SequelaError

from chaos.questions import ask, fingerprint, is_degraded

REPEATED = 0.2
"""The share of questions that were asked before, whose answers may come from the store."""
MAX_RUNNING = 16
"""Calls at a time. When the machine becomes slow, further calls wait until others have ended."""
MAX_LAG_SECONDS = 1.0
"""How far calls may fall behind their times. What they fall behind further is not made up for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call. Times are those of the monotonic clock.

    Attributes:
        seed: The question.
        sent: When it was sent.
        done: When it ended.
        reason: Why it failed; empty for an answer.
        name: The name of the explanation.
        fingerprint: The digest of the answer.
        degraded: Whether the answer says that it is cut short or rougher.
    """

    seed: int
    sent: float
    done: float
    reason: str = ""
    name: str = ""
    fingerprint: str = ""
    degraded: bool = False


class Load:
    """Asks `rate` questions a second inside a `with` block, in a thread of its own."""

    def __init__(self, connect: Callable[[], AsyncSequela], rate: float, seed: int) -> None:
        self.answers: list[Answer] = []
        self._connect, self._rate = connect, rate
        self._random = random.Random(seed)
        self._first, self._fresh = seed * 1_000_000, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def answered_since(self, moment: float) -> bool:
        """Returns whether a call that was sent after a moment was answered."""
        return any(each.sent > moment and not each.reason for each in self.answers[-200:])

    async def _run(self) -> None:
        running, slots, due = set[asyncio.Task[None]](), asyncio.Semaphore(MAX_RUNNING), time.monotonic()
        async with self._connect() as sequela:
            while not self._over.is_set():
                due = max(due, time.monotonic() - MAX_LAG_SECONDS) + self._random.expovariate(self._rate)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await slots.acquire()
                task = asyncio.create_task(self._ask(sequela, self._question()))
                running.add(task)
                task.add_done_callback(running.discard)
                task.add_done_callback(lambda _: slots.release())
            await asyncio.gather(*running)

    def _question(self) -> int:
        if self._fresh and self._random.random() < REPEATED:
            return self._first + self._random.randrange(self._fresh)
        self._fresh += 1
        return self._first + self._fresh - 1

    async def _ask(self, sequela: AsyncSequela, seed: int) -> None:
        sent = time.monotonic()
        try:
            found = await ask(sequela, seed)
        except SequelaError as error:
            self.answers.append(Answer(seed, sent, time.monotonic(), error.reason or type(error).__name__))
            return
        done, degraded = time.monotonic(), is_degraded(found)
        self.answers.append(Answer(seed, sent, done, "", found.name, fingerprint(found), degraded))
