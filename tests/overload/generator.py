"""Sends calls in a process of its own, so that it waits for nothing that is measured.

    python -m overload.generator ADDRESS (open PLAN | closed WORKERS SECONDS CLIENT)

`open` sends each call at its time, whether or not earlier ones were answered. `closed` keeps some calls running. PLAN
is a file with planned calls as JSON; what became of them goes to standard output. Messages are made before they are
sent, and answers are parsed after all is over, since both would take time from the server, which has the same cores.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from sequela_proto.v1 import sequela_pb2 as pb

from overload.calls import CallOutcome, PlannedCall, plan_from_json, to_json
from overload.workload import players_of, request

EXPLAIN = "/sequela.v1.ExplanationService/Explain"
CONNECTIONS = 4
SAMPLED = 10
TIMEOUT = 60.0


class Generator:
    """Sends calls to a server. Clients share some connections."""

    def __init__(self, address: str, template: pb.ExplainRequest) -> None:
        channels = [
            grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
            for _ in range(CONNECTIONS)
        ]
        self._methods: list[Any] = [channel.unary_unary(EXPLAIN) for channel in channels]
        self._channels = channels
        self._template = template
        self._done: list[tuple[PlannedCall, float, float, bytes | grpc.RpcError]] = []

    async def connect(self) -> None:
        """Opens the connections."""
        for channel in self._channels:
            await asyncio.wait_for(channel.channel_ready(), 60)

    async def send(self, call: PlannedCall, message: bytes, late: float) -> None:
        """Sends one call, and notes what became of it."""
        method = self._methods[call.seed % len(self._methods)]
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
        messages = [self._message(call) for call in plan]
        started, running = time.monotonic() + 0.1, set[asyncio.Task[None]]()
        for call, message in zip(plan, messages, strict=True):
            await asyncio.sleep(max(0.0, started + call.at - time.monotonic()))
            late = max(0.0, time.monotonic() - started - call.at)
            task = asyncio.create_task(self.send(call, message, late))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def closed(self, workers: int, seconds: float, client: str) -> None:
        """Keeps some calls running."""
        end, seeds = time.monotonic() + seconds, iter(range(1 << 40, 1 << 41))

        async def work() -> None:
            while (now := time.monotonic()) < end:
                call = PlannedCall(seconds - (end - now), client, "interactive", TIMEOUT, next(seeds))
                await self.send(call, self._message(call), 0.0)

        await asyncio.gather(*(work() for _ in range(workers)))

    def outcomes(self) -> list[CallOutcome]:
        """Returns what became of the calls."""
        return [_outcome(number, *each) for number, each in enumerate(self._done)]

    def _message(self, call: PlannedCall) -> bytes:
        message = pb.ExplainRequest()
        message.CopyFrom(self._template)
        message.options.seed = call.seed
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
    if not raised and number % SAMPLED:
        return CallOutcome(call, late, seconds, "", False, found.cut_short, raised)
    values = [each.values[0] for each in found.cell_level.attributions]
    errors = [each.standard_errors[0] for each in found.cell_level.attributions]
    players = players_of(found)
    return CallOutcome(call, late, seconds, "", False, found.cut_short, raised, players, values, errors)


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


async def _run(address: str, kind: str, *rest: str) -> list[CallOutcome]:
    generator = Generator(address, request())
    await generator.connect()
    if kind == "open":
        await generator.open(plan_from_json(Path(rest[0]).read_text()))
    else:
        await generator.closed(int(rest[0]), float(rest[1]), rest[2])
    return generator.outcomes()


if __name__ == "__main__":
    sys.stdout.write(to_json(asyncio.run(_run(*sys.argv[1:]))))
