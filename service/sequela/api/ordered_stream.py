"""Returns answers in the order of the requests, while several requests are processed concurrently."""

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
    """Answers each request, which is passed with its index from 0. Raises what reading or `answer` raises.

    At most `window` requests are read ahead of the answers that were consumed, so a caller that does not read its
    answers cannot fill the memory with requests.
    """
    free = asyncio.Semaphore(window)
    begun: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue()
    tasks: set[asyncio.Task[Any]] = set()

    async def read() -> None:
        index = 0
        try:
            await free.acquire()
            # A slot is taken before the next request is read, so that reading is limited too.
            async for request in requests:
                task = asyncio.create_task(answer(index, request))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(_retrieve_error)
                begun.put_nowait(task)
                index += 1
                await free.acquire()
        finally:
            # Also after an error, so that the consumer does not wait forever.
            begun.put_nowait(None)

    reader = asyncio.create_task(read())
    try:
        while task := await begun.get():
            yield await task
            free.release()
        # Raises the error that ended reading, if there was one.
        await reader
    finally:
        # The consumer may stop early, and then nothing may continue in the background.
        left = (reader, *tasks)
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    """Retrieves an error. After one answer has failed, nobody waits for later ones, and asyncio would report them."""
    if not task.cancelled():
        task.exception()
