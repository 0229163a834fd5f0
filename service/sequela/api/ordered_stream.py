"""Answers in the order of the requests, while several of them are worked on at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


async def in_order(
    requests: AsyncIterator[Request],
    answer: Callable[[int, Request], Coroutine[Any, Any, Answer]],
    window: int,
) -> AsyncIterator[Answer]:
    """Answers each request, given with its number from 0. Raises what reading them or `answer` raises.

    At most `window` requests are read ahead of the answers taken: a caller who does not read is not read from.
    """
    free = asyncio.Semaphore(window)
    begun: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue()
    tasks: set[asyncio.Task[Any]] = set()

    async def read() -> None:
        index = 0
        try:
            await free.acquire()
            async for request in requests:
                task = asyncio.create_task(answer(index, request))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(_retrieve_error)
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
        left = (reader, *tasks)
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    """Takes note of an error: once one answer has failed nobody waits for the later ones, and asyncio would report
    how they ended.
    """
    if not task.cancelled():
        task.exception()
