"""Answers in the order of the questions, several of them worked on at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


async def in_order(
    questions: AsyncIterator[Asked],
    answer: Callable[[int, Asked], Coroutine[Any, Any, Answered]],
    window: int,
) -> AsyncIterator[Answered]:
    """Answers each question, given with its number from 0. Raises what reading them or `answer` raises.

    At most `window` questions are read ahead of the answers taken: who does not read is not read from.
    """
    free = asyncio.Semaphore(window)
    begun: asyncio.Queue[asyncio.Task[Answered] | None] = asyncio.Queue()
    working: set[asyncio.Task[Any]] = set()

    async def read() -> None:
        index = 0
        try:
            await free.acquire()
            async for question in questions:
                task = asyncio.create_task(answer(index, question))
                working.add(task)
                task.add_done_callback(working.discard)
                task.add_done_callback(_heard)
                begun.put_nowait(task)
                index += 1
                await free.acquire()
        finally:
            begun.put_nowait(None)

    reader = asyncio.create_task(read())
    try:
        while task := await begun.get():
            yield await task
            free.release()
        await reader
    finally:
        left = (reader, *working)
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _heard(task: asyncio.Task[Any]) -> None:
    """Once one answer has failed nobody waits for those after it: asyncio is not to report how they ended."""
    if not task.cancelled():
        task.exception()
