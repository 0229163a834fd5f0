"""A served model over gRPC: what comes back is what the file gives, and every way to fail has its error."""

from __future__ import annotations

import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from inference_server import InferenceServer, ServedModel
from sequela.adapters.endpoints.addresses import AddressGuard, open_guard
from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.failures import RetryableError
from sequela.adapters.endpoints.grpc_channel import GrpcChannelFinder
from sequela.adapters.endpoints.transport_limits import TransportLimits
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.adapters.model_io.signature import Content, InputSignature, OutputSignature
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit, Forbidden, Overloaded, Unavailable
from sequela.explain.schema import Dtype
from sequela_proto.inference import open_inference_pb2 as pb
from transports import ROWS, SCORER, Names, expected, failing, loopback, opened, soon, threads
from waiting import PATIENCE, eventually

Code = grpc.StatusCode


def test_infer(server: InferenceServer) -> None:
    """Outputs equal the graph's, as float64; the time may be without an end."""
    with opened(server.uri("scorer")) as transport:
        scores = transport.infer({"events": ROWS}, "", soon())
        for until in (math.inf, 1e300):
            np.testing.assert_array_equal(transport.infer({"events": ROWS}, "", until), scores)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected(ROWS), rtol=1e-6)


def test_rows_and_columns_keep_their_places(server: InferenceServer) -> None:
    """Raw tensors are in row-major order, also where the array in memory is not."""
    events = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32).transpose(2, 0, 1)
    with opened(server.uri("mean")) as transport:
        means = transport.infer({"events": events}, "out", soon())
    np.testing.assert_allclose(means, events.mean(axis=1), rtol=1e-5, atol=1e-6)


def test_several_inputs(server: InferenceServer) -> None:
    """Each goes under its name with its own type, whatever the order."""
    ids = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    with opened(server.uri("two")) as transport:
        scores = transport.infer({"ids": ids, "events": ROWS}, "", soon())
    totals = ROWS.astype(np.float64).mean(axis=(1, 2)) + ids.mean(axis=1)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-totals / 10)), rtol=1e-6)


def test_many_threads_at_once(server: InferenceServer) -> None:
    """One transport serves them all, and the calls run side by side."""
    gate = threading.Barrier(8)

    def together(request: Any, context: Any, answer: Any) -> Any:
        gate.wait(PATIENCE)
        return answer()

    server.twists["ModelInfer"] = together
    with opened(server.uri("scorer")) as transport, ThreadPoolExecutor(8) as pool:
        batches = [ROWS * step for step in range(8)]
        answers = list(pool.map(lambda rows: transport.infer({"events": rows}, "", soon()), batches))
    for rows, scores in zip(batches, answers, strict=True):
        np.testing.assert_allclose(scores, expected(rows), rtol=1e-6)


def test_describe(server: InferenceServer) -> None:
    """Names, types and axes as the graph has them; free axes without a size; Triton's row limit is not there."""
    with opened(server.uri("two")) as transport:
        described = transport.describe(soon())
    assert described.inputs == (
        InputSignature("events", Dtype.FLOAT32, "float32", (None, None, 3)),
        InputSignature("ids", Dtype.INT64, "int64", (None, None)),
    )
    assert described.outputs == (OutputSignature("score", Content.FLOATS, "FP32", (None,)),)
    assert (described.versions, described.platform, described.max_rows) == (("1",), "onnxruntime_onnx", None)


@pytest.mark.parametrize(("rows", "most"), [(64, 64), (0, None)])
def test_max_rows_of_triton(rows: int, most: int | None) -> None:
    """Where the server knows ModelConfig, its max_batch_size counts, and 0 says nothing."""
    with (
        InferenceServer({"m": ServedModel(SCORER, rows)}, triton=True) as server,
        opened(server.uri("m")) as transport,
    ):
        assert transport.describe(soon()).max_rows == most


@pytest.mark.parametrize("code", [Code.UNIMPLEMENTED, Code.INVALID_ARGUMENT, Code.UNKNOWN, Code.INTERNAL])
def test_servers_without_a_model_config(server: InferenceServer, code: Code) -> None:
    """However a server says that it has none, the rest of the description stands."""
    server.twists["ModelConfig"] = lambda request, context, answer: context.abort(code, "unsupported")
    with opened(server.uri("scorer")) as transport:
        assert transport.describe(soon()).max_rows is None


def test_an_input_that_cannot_be_fed(server: InferenceServer) -> None:
    """Strings and pictures are no sequences of numbers; the error names the input."""

    def strings(request: Any, context: Any, answer: Any) -> Any:
        tensor = pb.ModelMetadataResponse.TensorMetadata(name="text", datatype="BYTES", shape=[-1, 1])
        return pb.ModelMetadataResponse(name=request.name, inputs=[tensor])

    server.twists["ModelMetadata"] = strings
    with opened(server.uri("scorer")) as transport, failing(DoesNotFit, "MODEL_INPUT_UNSUPPORTED", "'text'"):
        transport.describe(soon())


def test_what_is_sent(server: InferenceServer) -> None:
    """The model, the version and the output asked for; who asks; until when. No credentials where there are none."""
    with opened(server.uri("scorer"), version="1") as transport:
        transport.infer({"events": ROWS}, "score", soon())
    call = server.calls[-1]
    assert (call.request.model_name, call.request.model_version) == ("scorer", "1")
    assert [output.name for output in call.request.outputs] == ["score"]
    assert call.metadata["user-agent"].startswith("sequela")
    assert "authorization" not in call.metadata


TOLD_APART = (Code.UNAVAILABLE, Code.CANCELLED, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED)
REFUSALS = {
    Code.UNAVAILABLE: (RetryableError, "ENDPOINT_UNAVAILABLE"),
    Code.CANCELLED: (Unavailable, "ENDPOINT_UNAVAILABLE"),
    Code.DEADLINE_EXCEEDED: (Unavailable, "ENDPOINT_UNAVAILABLE"),
    Code.RESOURCE_EXHAUSTED: (Overloaded, "ENDPOINT_OVERLOADED"),
    **{code: (DoesNotFit, "ENDPOINT_REFUSED") for code in Code if code not in (Code.OK, *TOLD_APART)},
}


@pytest.mark.parametrize("code", REFUSALS, ids=lambda code: code.name)
def test_every_code_has_its_error(server: InferenceServer, code: Code) -> None:
    """With the server's own words, cut to one printable line; a deadline that is not ours is not asked for again."""
    words = "no\n\x1b[31m way \x00" + "x" * 5000
    server.twists["ModelInfer"] = lambda request, context, answer: context.abort(code, words)
    error, reason = REFUSALS[code]
    with opened(server.uri("scorer")) as transport, failing(error, reason, "no [31m way xxx", "scorer"):
        transport.infer({"events": ROWS}, "", soon())


def test_what_helps_says_when() -> None:
    """An endpoint that is down: the error that the caller hears in the end says when to come back."""
    with opened("grpc://127.0.0.1:1/m") as transport, pytest.raises(RetryableError) as caught:
        transport.infer({"events": ROWS}, "", soon())
    assert caught.value.error.retry_after == 1.0


def test_the_end_of_the_time(server: InferenceServer) -> None:
    """A server that does not answer keeps no caller past `until`; nor does one that is asked after it."""
    free = threading.Event()
    server.twists["ModelInfer"] = lambda request, context, answer: (free.wait(PATIENCE), answer())[1]
    with opened(server.uri("scorer")) as transport:
        with pytest.raises(DeadlinePassed):
            transport.infer({"events": ROWS}, "", soon(0.2))
        with pytest.raises(DeadlinePassed):
            transport.infer({"events": ROWS}, "", soon(-1))
        free.set()


def test_wrong_calls(server: InferenceServer) -> None:
    """An unknown model, input or output: the server's own words come back."""
    with opened(server.uri("nobody")) as transport, failing(DoesNotFit, "ENDPOINT_REFUSED", "NOT_FOUND"):
        transport.describe(soon())
    with opened(server.uri("scorer")) as transport:
        with failing(DoesNotFit, "ENDPOINT_REFUSED", "INVALID_ARGUMENT", "evnts"):
            transport.infer({"evnts": ROWS}, "", soon())
        with failing(DoesNotFit, "ENDPOINT_REFUSED", "'nothing'"):
            transport.infer({"events": ROWS}, "nothing", soon())


def test_nobody_there_and_back(server: InferenceServer) -> None:
    """An endpoint that is down is RetryableError; once it is back, the same transport finds it."""
    with opened(server.uri("scorer")) as transport:
        transport.infer({"events": ROWS}, "", soon())
        assert transport.ready(soon())
        server.stop()
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE", "scorer"):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())
        server.start()
        eventually(lambda: transport.ready(soon()))
        transport.infer({"events": ROWS}, "", soon())


def test_not_yet_there() -> None:
    """A transport is opened whether or not anybody listens."""
    with InferenceServer({"m": ServedModel(SCORER)}) as server:
        server.stop()
        with opened(server.uri("m")) as transport:
            assert not transport.ready(soon())
            server.start()
            eventually(lambda: transport.ready(soon()))


def test_killed_in_mid_call(server: InferenceServer) -> None:
    """A call that is cut off may be sent again."""
    started = threading.Event()

    def stuck(request: Any, context: Any, answer: Any) -> Any:
        started.set()
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait(PATIENCE)
        return answer()

    server.twists["ModelInfer"] = stuck
    with opened(server.uri("scorer")) as transport, ThreadPoolExecutor(1) as pool:
        call = pool.submit(transport.infer, {"events": ROWS}, "", soon())
        started.wait(PATIENCE)
        server.stop()
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE"):
            call.result(PATIENCE)


def test_closed_in_mid_call(server: InferenceServer) -> None:
    """Our own close ends calls under way and all later ones; both may be sent again, elsewhere."""
    started, free = threading.Event(), threading.Event()
    server.twists["ModelInfer"] = lambda request, context, answer: (
        started.set(),
        free.wait(PATIENCE),
        answer(),
    )[2]
    with opened(server.uri("scorer")) as transport, ThreadPoolExecutor(1) as pool:
        call = pool.submit(transport.infer, {"events": ROWS}, "", soon())
        started.wait(PATIENCE)
        transport.close()
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE"):
            call.result(PATIENCE)
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE", "closed"):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())
        free.set()


def test_a_host_that_is_not_known() -> None:
    """With and without a guard, a name that does not resolve may be asked for again."""
    for guard in (None, open_guard):
        with (
            opened("grpc://no-such-name.invalid:1/m", guard=guard) as transport,
            failing(RetryableError, "ENDPOINT_UNAVAILABLE"),
        ):
            transport.infer({"events": ROWS}, "", soon())


def test_a_name_that_resolves_to_a_private_address(server: InferenceServer) -> None:
    """Is refused when it is connected to; nothing reaches the server. With its network allowed it does."""
    uri = f"grpc://localhost:{server.port}/scorer"
    with opened(uri, guard=AddressGuard) as transport:
        with pytest.raises(Forbidden):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())
    assert server.calls == []
    with opened(server.uri("scorer"), guard=loopback) as transport:
        assert transport.ready(soon())


def test_a_guarded_name_that_moves(server: InferenceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what is connected to; once it does not answer, the name is looked up and checked again."""
    names = Names(monkeypatch, "127.0.0.2")
    with opened(f"grpc://{names.HOST}:{server.port}/scorer", guard=loopback) as transport:
        with pytest.raises(RetryableError) as caught:
            transport.infer({"events": ROWS}, "", soon())
        assert "127.0.0" not in caught.value.error.message
        assert "its address: " in caught.value.error.message
        names.addresses = ("127.0.0.1", "::1")
        np.testing.assert_allclose(transport.infer({"events": ROWS}, "", soon()), expected(ROWS), rtol=1e-6)
        names.addresses = ("10.0.0.1",)
        transport.infer({"events": ROWS}, "", soon())
        assert names.asked == [names.HOST] * 2
        server.stop()
        with failing(RetryableError, "ENDPOINT_UNAVAILABLE"):
            transport.infer({"events": ROWS}, "", soon())
        with failing(Forbidden, "ENDPOINT_NOT_ALLOWED"):
            transport.infer({"events": ROWS}, "", soon())


def test_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a guarded name, all addresses of the family that comes first; of the operator's own, the name."""
    uri, limits = EndpointUri.parse("grpc://models.example:9/m"), TransportLimits(1, 1.0)
    names = Names(monkeypatch, "::1", "127.0.0.1")
    assert GrpcChannelFinder(uri, Credentials(), limits, loopback(uri))(None).target == "ipv6:[::1]:9"
    names.addresses = ("127.0.0.2", "127.0.0.1", "::1")
    assert (
        GrpcChannelFinder(uri, Credentials(), limits, loopback(uri))(None).target
        == "ipv4:127.0.0.1:9,127.0.0.2:9"
    )
    assert GrpcChannelFinder(uri, Credentials(), limits, None)(None).target == "dns:///models.example:9"


def test_link_local_is_refused_from_the_operator_too() -> None:
    """A cloud's metadata server is no model."""
    with pytest.raises(Forbidden), opened("grpc://169.254.169.254:80/m"):
        pass


def test_the_environments_proxy_is_not_asked(
    server: InferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve names itself, unguarded."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with opened(server.uri("scorer")) as transport:
        assert transport.ready(soon())


def test_nothing_stays_behind(server: InferenceServer) -> None:
    """Neither threads nor sockets of a hundred transports, used and closed."""

    def use() -> None:
        with opened(server.uri("scorer"), guard=loopback) as one:
            one.infer({"events": ROWS}, "", soon())

    use()
    before, files = threads(), len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        use()
    eventually(lambda: {each for each in threads() if "inference" not in each.name} <= before)
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= files + 5)
