"""Sends requests that were encoded before, so that the client takes little time beside the server.

The functions run in a process of their own (`sender_process`).
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import grpc
import grpc.aio

EXPLAIN = "/sequela.v1.ExplanationService/Explain"
TIMEOUT = 60.0  # seconds of one call, as with the Python client


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent and answered.

    Args:
        latencies: how long each answered request took, in seconds.
        answers: the encoded answers, in the same order.
        failures: how many requests failed, by status code.
        seconds: the time from the first request to the last answer.
    """

    latencies: tuple[float, ...]
    answers: tuple[bytes, ...]
    failures: Mapping[str, int]
    seconds: float

    @property
    def per_second(self) -> float:
        """How many requests were answered a second."""
        return len(self.latencies) / self.seconds


def send_in_turn(address: str, requests: Sequence[bytes], in_flight: int, seconds: float = 1e9) -> Sent:
    """Sends each request when one of those before it was answered (closed loop).

    Args:
        address: the server.
        requests: encoded requests.
        in_flight: how many requests run at a time.
        seconds: when to stop, even if requests are left.
    """

    async def send(calls: _Calls) -> None:
        waiting, end = iter(requests), time.monotonic() + seconds

        async def work() -> None:
            while (now := time.monotonic()) < end and (request := next(waiting, None)) is not None:
                await calls.call(request, now)

        await asyncio.gather(*(work() for _ in range(in_flight)))

    return asyncio.run(_run(address, send))


def send_at(address: str, requests: Sequence[bytes], arrivals: Sequence[float]) -> Sent:
    """Sends each request at its time, whether or not earlier ones were answered (open loop).

    Latencies count from that time. `arrivals` are in seconds, in increasing order.
    """

    async def send(calls: _Calls) -> None:
        started, running = time.monotonic(), []
        for request, arrival in zip(requests, arrivals, strict=True):
            await asyncio.sleep(started + arrival - time.monotonic())
            running.append(asyncio.create_task(calls.call(request, started + arrival)))
        await asyncio.gather(*running)

    return asyncio.run(_run(address, send))


@contextmanager
def sender_process(cores: Collection[int]) -> Iterator[ProcessPoolExecutor]:
    """Yields a process, bound to the cores, that runs one function at a time."""
    context = get_context("spawn")  # gRPC does not survive a fork
    with ProcessPoolExecutor(1, context, os.sched_setaffinity, (0, set(cores))) as process:
        yield process


@dataclass
class _Calls:
    """Makes calls and collects their results."""

    method: Callable[..., Any]
    latencies: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    async def call(self, request: bytes, since: float) -> None:
        """Makes one call, whose latency counts from `since` on the monotonic clock."""
        try:
            answer = await self.method(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            self.failures[error.code().name] += 1
        else:
            self.latencies.append(time.monotonic() - since)
            self.answers.append(answer)


async def _run(address: str, send: Callable[[_Calls], Awaitable[None]]) -> Sent:
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        # Without serializers, messages are the bytes that were given and received.
        calls = _Calls(channel.unary_unary(EXPLAIN, request_serializer=None, response_deserializer=None))
        started = time.monotonic()
        await send(calls)
        seconds = time.monotonic() - started
    return Sent(tuple(calls.latencies), tuple(calls.answers), dict(calls.failures), seconds)
