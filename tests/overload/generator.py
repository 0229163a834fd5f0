"""Sends calls in a process of its own, so that it waits for nothing that is measured.

    python -m overload.generator ADDRESS (open PLAN | closed WORKERS SECONDS CLIENT | first CALLS CLIENT)

`open` sends each call at its time, whether or not earlier ones were answered. `closed` keeps some calls running.
`first` sends some, two at a time. PLAN is a file with planned calls as JSON. Once the generator is ready, it says so in
a line. It then reads the time at which to start, in seconds of the monotonic clock, so that several of them start
together. What became of the calls goes to standard output. Messages are made before they are sent, and answers are
parsed after all is over, since both would take time from the server, which has the same cores. Where both want a core,
the generator comes first, if it may (root, or CAP_SYS_NICE). It does not collect garbage meanwhile: with all answers in
memory that takes a tenth of a second, in which no call is sent.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from sequela_proto.v1 import sequela_pb2 as pb

from overload.calls import CallOutcome, PlannedCall, plan_from_json, to_json
from overload.workload import alerts, players_of, request

EXPLAIN = "/sequela.v1.ExplanationService/Explain"
CONNECTIONS = 4
SAMPLED = 10
TIMEOUT = 60.0
FIRST_OF_CLOSED = 1 << 40
"""The number of the first call of a kind that has no plan; those of plans are smaller."""
READY = "ready\n"
PRIORITY = -10
"""Of this process, for setpriority(2). The server has 0."""


class Generator:
    """Sends calls to a server. Clients share some connections."""

    def __init__(self, address: str) -> None:
        channels = [
            grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
            for _ in range(CONNECTIONS)
        ]
        self._methods: list[Any] = [channel.unary_unary(EXPLAIN) for channel in channels]
        self._channels = channels
        self._done: list[tuple[PlannedCall, float, float, bytes | grpc.RpcError]] = []

    async def connect(self) -> None:
        """Opens the connections."""
        for channel in self._channels:
            await asyncio.wait_for(channel.channel_ready(), 60)

    async def send(self, call: PlannedCall, message: bytes, late: float) -> None:
        """Sends one call, and notes what became of it."""
        method = self._methods[call.number % len(self._methods)]
        metadata = (("authorization", f"Bearer {call.client}"),)
        started = time.monotonic()
        result: bytes | grpc.RpcError
        try:
            result = await method(message, timeout=call.timeout, metadata=metadata)
        except grpc.RpcError as error:
            result = error
        self._done.append((call, late, time.monotonic() - started, result))

    async def open(self, plan: Sequence[PlannedCall]) -> None:
        """Sends calls at their times."""
        messages = [_message(call) for call in plan]
        started, running = _agreed_start(), set[asyncio.Task[None]]()
        for call, message in zip(plan, messages, strict=True):
            await asyncio.sleep(max(0.0, started + call.at - time.monotonic()))
            late = max(0.0, time.monotonic() - started - call.at)
            task = asyncio.create_task(self.send(call, message, late))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def closed(self, workers: int, seconds: float, client: str) -> None:
        """Keeps some calls running."""
        alerts()  # takes a while when it is called first
        end, numbers = _agreed_start() + seconds, itertools.count(FIRST_OF_CLOSED)
        running = itertools.takewhile(lambda _: time.monotonic() < end, numbers)
        await asyncio.gather(*(self._send_all(running, client) for _ in range(workers)))

    async def first(self, calls: int, client: str) -> None:
        """Sends some calls, two at a time."""
        alerts()
        _agreed_start()
        numbers = iter(range(FIRST_OF_CLOSED - calls, FIRST_OF_CLOSED))
        await asyncio.gather(*(self._send_all(numbers, client) for _ in range(2)))

    async def _send_all(self, numbers: Iterator[int], client: str) -> None:
        for number in numbers:
            call = PlannedCall(0.0, client, "interactive", TIMEOUT, number)
            await self.send(call, _message(call), 0.0)

    def outcomes(self) -> list[CallOutcome]:
        """Returns what became of the calls."""
        return [_outcome(number, *each) for number, each in enumerate(self._done)]


def _agreed_start() -> float:
    """Says that this process is ready, and returns the time at which to start. No garbage is collected any more."""
    gc.freeze()
    gc.disable()
    sys.stdout.write(READY)
    sys.stdout.flush()
    return float(sys.stdin.readline())


def _message(call: PlannedCall) -> bytes:
    message = request(call.number)
    message.priority = pb.Priority.Value(f"PRIORITY_{call.priority.upper()}")
    return message.SerializeToString()


def _outcome(
    number: int, call: PlannedCall, late: float, seconds: float, result: bytes | grpc.RpcError
) -> CallOutcome:
    if isinstance(result, grpc.RpcError):
        reason, retry = _reason(result)
        return CallOutcome(call, late, seconds, reason, retry)
    found = pb.ExplainResponse.FromString(result).explanation
    raised = any(warning.reason == "ERROR_TARGET_RAISED" for warning in found.warnings)
    levels = sum(
        bool(each.attributions) for each in (found.event_level, found.feature_level, found.cell_level)
    )
    outcome = CallOutcome(call, late, seconds, "", False, found.cut_short, raised, levels)
    if not raised and number % SAMPLED:
        return outcome
    return replace(
        outcome,
        players=players_of(found),
        values=[each.values[0] for each in found.cell_level.attributions],
        errors=[each.standard_errors[0] for each in found.cell_level.attributions],
    )


def _reason(error: Any) -> tuple[str, bool]:
    """Returns the reason of an error, and whether it says when to try again."""
    reason, retry = str(error.code().name), False
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info, wait = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        retry |= detail.Unpack(wait)
    return reason, retry


def _come_first() -> None:
    """Has this process run before the server, if it may. Its calls are then sent at their times, and waiting for a core
    does not count as waiting for the server.
    """
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)


async def _run(address: str, kind: str, *rest: str) -> list[CallOutcome]:
    generator = Generator(address)
    await generator.connect()
    if kind == "open":
        await generator.open(plan_from_json(Path(rest[0]).read_text()))
    elif kind == "first":
        await generator.first(int(rest[0]), rest[1])
    else:
        await generator.closed(int(rest[0]), float(rest[1]), rest[2])
    return generator.outcomes()


if __name__ == "__main__":
    _come_first()
    sys.stdout.write(to_json(asyncio.run(_run(*sys.argv[1:]))))
