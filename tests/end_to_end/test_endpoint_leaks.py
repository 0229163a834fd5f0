"""Faulty requests of all kinds leave nothing behind: no threads, no connections, no files, no memory."""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from endpoint_faults import saying
from endpoint_folders import explained, outcome, reachable, request, serving, write_endpoint
from fault_proxy import FaultProxy
from inference_server import InferenceServer, ServedModel, infer_answer
from matrix import BY_NAME
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving
from waiting import eventually

Code = grpc.StatusCode

CASE = BY_NAME["gru"]
OPTIONS: dict[str, Any] = {
    "levels": [pb.LEVEL_EVENT],
    "max_coalitions": 128,
    "target_standard_error": 0.0,
    "pruning_tolerance": 0.0,
}
CALL_SECONDS = 0.3
SOME_MB = 40.0
"""That a process may grow by in a thousand requests: caches fill, and the allocator keeps what it had."""


def answering(**changed: Any) -> Callable[..., Any]:
    said = {"name": "gru", "version": "1", "output": "score", "datatype": "FP32"} | changed
    values = said.pop("values", np.full((1, 1), 0.5))
    return lambda request, context, answer: infer_answer(**said, values=values)


@dataclass(frozen=True)
class Fault:
    """What begins it, and what a request is told that comes to it within so many seconds."""

    begin: Callable[[], object]
    code: Code
    reason: str
    deadline: float = 5.0


class Trouble:
    """One kind of fault after another, at the server and on the way there."""

    def __init__(self, endpoint: InferenceServer, proxy: FaultProxy) -> None:
        self.endpoint, self.proxy = endpoint, proxy
        self._kinds = itertools.cycle(self._all())

    def begin(self) -> Fault:
        """The next kind."""
        kind = next(self._kinds)
        kind.begin()
        return kind

    def end(self) -> None:
        """Everything works."""
        self.endpoint.twists.clear()
        self.proxy.swallowing = False
        self.proxy.listen()

    def _all(self) -> Iterator[Fault]:
        down = Code.UNAVAILABLE, "ENDPOINT_UNAVAILABLE"
        refused = Code.FAILED_PRECONDITION, "ENDPOINT_REFUSED"
        odd = Code.FAILED_PRECONDITION, "ENDPOINT_ANSWER_INVALID"
        yield Fault(self._infer(saying(Code.UNAVAILABLE)), *down)
        yield Fault(self._infer(saying(Code.INTERNAL)), *refused)
        full = Code.RESOURCE_EXHAUSTED, "ENDPOINT_OVERLOADED"
        yield Fault(self._infer(saying(Code.RESOURCE_EXHAUSTED)), *full)
        yield Fault(self._infer(saying(Code.UNKNOWN)), *refused)
        no_numbers = Code.FAILED_PRECONDITION, "MODEL_OUTPUT_NOT_FINITE"
        yield Fault(self._infer(answering(values=np.full((2, 1), np.nan))), *no_numbers)
        yield Fault(self._infer(answering(values=np.zeros((2, 9)))), *odd)
        yield Fault(self._infer(answering(values=np.zeros((1, 1)))), *odd)
        yield Fault(self._infer(answering(output="other")), *odd)
        yield Fault(self._infer(self._reset), *down)
        yield Fault(self._swallow, *down)
        yield Fault(self._infer(self._late), Code.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT", 0.7 * CALL_SECONDS)
        yield Fault(self.proxy.refuse, *down)

    def _infer(self, twist: Callable[..., Any]) -> Callable[[], None]:
        return lambda: self.endpoint.twists.update(ModelInfer=twist)

    def _reset(self, request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        self.proxy.reset()
        return answer()

    def _late(self, request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        time.sleep(0.9 * CALL_SECONDS)
        return answer()

    def _swallow(self) -> None:
        self.proxy.swallowing = True


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(36, marks=pytest.mark.slow),
        pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_faulty_requests_leave_nothing_behind(
    tmp_path: Path, endpoint: InferenceServer, proxy: FaultProxy, count: int
) -> None:
    """Each ends by its deadline with the error that tells its fault; afterwards all is as it was before them."""
    write_endpoint(
        tmp_path,
        "gru",
        f"grpc://127.0.0.1:{proxy.port}/gru",
        call_seconds=CALL_SECONDS,
        attempts=2,
        version="",
    )
    before = set(threading.enumerate())
    trouble = Trouble(endpoint, proxy)
    with serving(tmp_path) as server:
        reachable(server, "gru")
        explained(server, request("gru", **OPTIONS))

        def ask(number: int, fault: Fault) -> None:
            # On a busy machine the caller's own clock may come first; it gives no reason.
            late = (Code.DEADLINE_EXCEEDED, "") if fault.code is Code.DEADLINE_EXCEEDED else None
            for _ in range(3):
                found = outcome(server, request("gru", seed=number, **OPTIONS), fault.deadline)
                assert isinstance(found, Failure)
                told = found.code, found.reason
                # A call may also take longer than its limit there, which no other fault looks like.
                if found.reason != "ENDPOINT_UNAVAILABLE" or fault.reason == "ENDPOINT_UNAVAILABLE":
                    break
            assert told in ((fault.code, fault.reason), late), found.message

        def works() -> bool:
            return isinstance(outcome(server, request("gru", **OPTIONS), 5.0), pb.Explanation)

        def run(numbers: range) -> None:
            fault = trouble.begin()
            for number in numbers:
                if number % 3 == 0:
                    trouble.end()
                    eventually(works)
                    fault = trouble.begin()
                elif number % 3 == 1:
                    call = server.explanations.Explain.future(request("gru", seed=number, **OPTIONS))
                    call.cancel()
                ask(number, fault)
            trouble.end()
            eventually(works)

        run(range(36))  # threads, caches and channels are there from now on
        gc.collect()
        threads, held, memory = threading.active_count(), files(), resident_mb()
        run(range(36, 36 + count))
        gc.collect()
        # A thread or a probe more or less; what leaks does so once for every request.
        eventually(lambda: threading.active_count() <= threads + 10)
        eventually(lambda: files() <= held + 10)
        eventually(lambda: proxy.connections <= 2)
        assert resident_mb() - memory < SOME_MB
    eventually(lambda: proxy.connections == 0)
    gc.collect()
    eventually(lambda: not {each for each in set(threading.enumerate()) - before if ours(each)})


def ours(thread: threading.Thread) -> bool:
    """Threads of the product's that look after endpoints."""
    return thread.is_alive() and thread.name.startswith("endpoint")


def named(server: Serving, uri: str, seed: int = 0) -> pb.Explanation | Failure:
    """A question that names its model by its endpoint."""
    asked = request("", seed=seed, **OPTIONS)
    asked.model.CopyFrom(pb.ModelReference(endpoint=pb.EndpointModel(uri=uri)))
    return outcome(server, asked)


def test_connections_of_requests_are_closed(
    tmp_path: Path, endpoint: InferenceServer, proxy: FaultProxy
) -> None:
    """As many are kept as the setting says; those longest unused end, with their threads."""
    models: dict[str, ServedModel] = endpoint.models  # type: ignore[assignment]
    models |= {f"m{number}": models["gru"] for number in range(6)}
    settings = {
        "endpoint_allow": f"grpc://127.0.0.1:{proxy.port}/*",
        "endpoint_networks": "127.0.0.0/8",
        "endpoint_connections": 3,
    }
    with serving(tmp_path, **settings) as server:
        for number in range(6):
            answer = named(server, f"grpc://127.0.0.1:{proxy.port}/m{number}")
            assert isinstance(answer, pb.Explanation), answer.message
        gc.collect()
        eventually(lambda: proxy.connections <= 3)
        threads = [each for each in threading.enumerate() if each.name.startswith("endpoint-")]
        assert len(threads) <= 3 * 8
    eventually(lambda: proxy.connections == 0)


def test_names_that_cannot_be_reached_leave_nothing(tmp_path: Path, proxy: FaultProxy) -> None:
    """Requests that name one dead endpoint after another."""
    settings = {"endpoint_allow": "grpc://127.0.0.1:*/*", "endpoint_networks": "127.0.0.0/8"}
    proxy.refuse()
    with serving(tmp_path, endpoint_connections=2, endpoint_attempts=1, **settings) as server:
        threads, held = 0, 0
        for number in range(16):
            failed = named(server, f"grpc://127.0.0.1:{proxy.port}/m{number}")
            assert isinstance(failed, Failure)
            assert (failed.code, failed.reason) == (Code.UNAVAILABLE, "ENDPOINT_UNAVAILABLE"), failed.message
            if number == 7:
                threads, held = threading.active_count(), files()
        gc.collect()
        eventually(lambda: threading.active_count() <= threads + 5)
        eventually(lambda: files() <= held + 5)
