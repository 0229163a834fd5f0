"""The operator's word on an endpoint that is in use, and the caller's: both hold for the calls under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from endpoint_faults import OPTIONS, ROWS, SCHEMA, SOON, Code, asked
from endpoint_folders import explained, failure, outcome, reachable, request, serving, state, write_endpoint
from fault_proxy import FaultProxy
from inference_server import InferenceServer
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving
from waiting import eventually


def test_the_off_switch(server: Serving, root: Path, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """Holds at once for new requests and for those under way; the model stays and says so; so does the way back."""
    uri = f"grpc://127.0.0.1:{proxy.port}/gru"
    endpoint.models["gru"].delay = 0.02
    failures: list[Failure] = []
    asking = threading.Thread(target=lambda: failures.append(failure(server, asked(max_coalitions=1 << 14))))
    asking.start()
    eventually(lambda: len(endpoint.models["gru"].batches) > 5)
    write_endpoint(root, "gru", uri, version="", max_batch_rows=ROWS, enabled=False)
    asking.join()
    failures.append(failure(server, asked()))
    for failed in failures:
        assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, "ENDPOINT_OFF"), failed.message
    eventually(lambda: state(server, "gru").state_detail == "switched off")
    sent = len(endpoint.models["gru"].batches)
    failure(server, asked())
    assert len(endpoint.models["gru"].batches) == sent
    endpoint.models["gru"].delay = 0.0
    write_endpoint(root, "gru", uri, version="", max_batch_rows=ROWS)
    eventually(lambda: state(server, "gru").state_detail == "")
    assert explained(server, asked()).explained


def test_other_terms(server: Serving, root: Path, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """Hold without a restart; a mistake in the file changes nothing."""
    uri = f"grpc://127.0.0.1:{proxy.port}/gru"
    options = {key: value for key, value in OPTIONS.items() if key != "max_coalitions"}
    quality = explained(server, request("gru", **options)).event_level.quality
    assert quality.coalitions == 2048
    write_endpoint(root, "gru", uri, version="", max_coalitions=256, max_batch_rows=8)
    eventually(lambda: explained(server, request("gru", **options)).event_level.quality.coalitions == 256)
    assert max(endpoint.models["gru"].batches[-10:]) <= 8
    write_endpoint(root, "gru", uri, version="", max_coalitions="many")
    time.sleep(0.3)  # looked at several times
    assert explained(server, request("gru", **options)).event_level.quality.coalitions == 256


def test_a_cancelled_request_sends_no_more(server: Serving, endpoint: InferenceServer) -> None:
    """At most the calls that were under way."""
    model = endpoint.models["gru"]
    model.delay = 0.02
    call = server.explanations.Explain.future(asked(max_coalitions=1 << 14), timeout=60)
    eventually(lambda: len(model.batches) > 10)
    call.cancel()
    running = server.wired.metrics.registry.get_sample_value
    executors = ("explain", "remote", "uploads")
    eventually(lambda: not any(running("sequela_inflight", {"executor": each}) for each in executors))
    sent = len(model.batches)
    time.sleep(0.2)  # ten calls' time
    assert len(model.batches) <= sent + 8
    eventually(lambda: model.at_once == 0)


@pytest.mark.slow
def test_two_files_of_one_endpoint(root: Path, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """One of them is enough to switch it off, for both names; other terms hold once both files say them, and until then
    what was agreed on holds.
    """
    uri = f"grpc://127.0.0.1:{proxy.port}/gru"
    options = {key: value for key, value in OPTIONS.items() if key != "max_coalitions"}

    def write(name: str, **terms: Any) -> None:
        write_endpoint(root, name, uri, SCHEMA, version="", max_batch_rows=ROWS, **terms)

    def works(server: Serving) -> set[bool]:
        found = [outcome(server, request(name, **OPTIONS)) for name in ("gru", "twin")]
        return {isinstance(each, pb.Explanation) for each in found}

    def coalitions(server: Serving) -> set[int]:
        found = [explained(server, request(name, **options)) for name in ("gru", "twin")]
        return {each.event_level.quality.coalitions for each in found}

    write("gru")
    write("twin")
    with serving(root) as server:
        reachable(server, "gru", "twin")
        for name in ("gru", "twin"):
            write(name, enabled=False)
            eventually(lambda: works(server) == {False})
            write(name)
            eventually(lambda: works(server) == {True})
        write("gru", max_coalitions=256)
        time.sleep(0.3)  # looked at several times
        assert coalitions(server) == {2048}
        eventually(lambda: "twin/1" in state(server, "gru").state_detail)
        write("twin", max_coalitions=256)
        eventually(lambda: coalitions(server) == {256})


def test_the_deadline_goes_along(server: Serving, endpoint: InferenceServer) -> None:
    """Every call tells the endpoint until when its answer is wanted: the request's deadline, or the limit of a call."""
    left: list[float] = []

    def look(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        left.append(context.time_remaining())
        return answer()

    endpoint.twists["ModelInfer"] = look
    outcome(server, asked(), SOON / 2)  # a busy machine may not answer in time
    assert 0 < max(left) <= 1.02 * SOON / 2  # gRPC rounds deadlines up
    left.clear()
    explained(server, asked(), 60.0)
    assert SOON / 2 < max(left) <= 1.02 * SOON
