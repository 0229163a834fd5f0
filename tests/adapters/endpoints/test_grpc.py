"""A served model over gRPC: what comes back is what the file gives, and every way to fail has its error."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any

import grpc
import numpy as np
import pytest
from inference_server import InferenceServer, ServedModel, infer_answer
from sequela.adapters.endpoints.addresses import AddressGuard, open_guard
from sequela.adapters.endpoints.transport import OutputSignature
from sequela.adapters.model_io.signature import InputSignature
from sequela.errors import DoesNotFit, Forbidden, Overloaded
from sequela.explaining.clock import TimeUp
from sequela.explaining.ports import TryAgain
from sequela.explaining.schema import Dtype
from sequela_proto.inference import open_inference_pb2 as pb
from transports import (
    PATIENCE,
    ROWS,
    SCORER,
    TWO_INPUTS,
    eventually,
    failing,
    mean_of_events,
    opened,
    soon,
    threads,
)

Code = grpc.StatusCode


@pytest.fixture
def server() -> Iterator[InferenceServer]:
    models = {
        "scorer": ServedModel(SCORER),
        "mean": ServedModel(mean_of_events()),
        "two": ServedModel(TWO_INPUTS),
    }
    with InferenceServer(models) as running:
        yield running


def expected(rows: Any) -> Any:
    """What the scorer is made to give."""
    return 1 / (1 + np.exp(-rows.astype(np.float64).mean(axis=(1, 2)) / 10))


def test_infer(server: InferenceServer) -> None:
    """Outputs equal the graph's, as float64."""
    with opened(server.uri("scorer")) as transport:
        scores = transport.infer({"events": ROWS}, "", soon())
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
    assert described.outputs == (OutputSignature("score", (None,)),)
    assert (described.versions, described.platform, described.most_rows) == (("1",), "onnxruntime_onnx", None)


@pytest.mark.parametrize(("rows", "most"), [(64, 64), (0, None)])
def test_most_rows_of_triton(rows: int, most: int | None) -> None:
    """Where the server knows ModelConfig, its max_batch_size counts, and 0 says nothing."""
    with (
        InferenceServer({"m": ServedModel(SCORER, rows)}, triton=True) as server,
        opened(server.uri("m")) as transport,
    ):
        assert transport.describe(soon()).most_rows == most


@pytest.mark.parametrize("code", [Code.UNIMPLEMENTED, Code.INVALID_ARGUMENT, Code.UNKNOWN, Code.INTERNAL])
def test_servers_without_a_model_config(server: InferenceServer, code: Code) -> None:
    """However a server says that it has none, the rest of the description stands."""
    server.twists["ModelConfig"] = lambda request, context, answer: context.abort(code, "unsupported")
    with opened(server.uri("scorer")) as transport:
        assert transport.describe(soon()).most_rows is None


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


REFUSALS = {
    Code.UNAVAILABLE: (TryAgain, "ENDPOINT_UNAVAILABLE"),
    Code.CANCELLED: (TryAgain, "ENDPOINT_UNAVAILABLE"),
    Code.RESOURCE_EXHAUSTED: (Overloaded, "ENDPOINT_OVERLOADED"),
    **{
        code: (DoesNotFit, "ENDPOINT_REFUSED")
        for code in Code
        if code not in (Code.OK, Code.UNAVAILABLE, Code.CANCELLED, Code.RESOURCE_EXHAUSTED)
    },
}


@pytest.mark.parametrize("code", REFUSALS, ids=lambda code: code.name)
def test_every_code_has_its_error(server: InferenceServer, code: Code) -> None:
    """With the server's own words, cut to one printable line; a deadline that is not ours is a refusal."""
    words = "no\n\x1b[31m way \x00" + "x" * 5000
    server.twists["ModelInfer"] = lambda request, context, answer: context.abort(code, words)
    error, reason = REFUSALS[code]
    with opened(server.uri("scorer")) as transport, failing(error, reason, "no [31m way xxx", "scorer"):
        transport.infer({"events": ROWS}, "", soon())


def test_what_helps_says_when() -> None:
    """An endpoint that is down: the error that the caller hears in the end says when to come back."""
    with opened("grpc://127.0.0.1:1/m") as transport, pytest.raises(TryAgain) as caught:
        transport.infer({"events": ROWS}, "", soon())
    assert caught.value.error.retry_after == 1.0


def test_the_end_of_the_time(server: InferenceServer) -> None:
    """A server that does not answer keeps no caller past `until`; nor does one that is asked after it."""
    free = threading.Event()
    server.twists["ModelInfer"] = lambda request, context, answer: (free.wait(PATIENCE), answer())[1]
    with opened(server.uri("scorer")) as transport:
        with pytest.raises(TimeUp):
            transport.infer({"events": ROWS}, "", soon(0.2))
        with pytest.raises(TimeUp):
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


def answering(**changed: Any) -> Any:
    """A good answer to a call of two rows, with fields changed."""
    good: dict[str, Any] = {
        "name": "scorer",
        "version": "1",
        "output": "score",
        "datatype": "FP32",
        "values": np.array([0.5, 0.25]),
    }
    return infer_answer(**{**good, **changed})


def typed(datatype: str, shape: list[int], raw: bytes = b"", **contents: Any) -> Any:
    """An answer whose numbers come typed."""
    answer = pb.ModelInferResponse(model_name="scorer", raw_output_contents=[raw] if raw else [])
    answer.outputs.add(
        name="score", datatype=datatype, shape=shape, contents=pb.InferTensorContents(**contents)
    )
    return answer


def raw(datatype: str, content: bytes, *shape: int) -> Any:
    """An answer of these bytes."""
    answer = pb.ModelInferResponse(model_name="scorer", raw_output_contents=[content])
    answer.outputs.add(name="score", datatype=datatype, shape=shape)
    return answer


def with_empty_contents() -> Any:
    answer = answering()
    answer.outputs[0].contents.SetInParent()
    return answer


GOOD = {
    "empty contents beside the bytes, as MLServer sends them": (with_empty_contents(), [0.5, 0.25]),
    "FP64": (answering(datatype="FP64"), [0.5, 0.25]),
    "FP16": (answering(datatype="FP16"), [0.5, 0.25]),
    "INT64": (answering(datatype="INT64", values=np.array([-3, 1 << 40])), [-3, 1 << 40]),
    "INT8": (raw("INT8", b"\xff\x02", 2), [-1, 2]),
    "UINT8": (raw("UINT8", b"\xff\x02", 2), [255, 2]),
    "BOOL": (answering(datatype="BOOL", values=np.array([True, False])), [1, 0]),
    "typed FP32": (typed("FP32", [2], fp32_contents=[0.5, 0.25]), [0.5, 0.25]),
    "typed FP64": (typed("FP64", [2], fp64_contents=[0.1, 0.2]), [0.1, 0.2]),
    "typed INT16": (typed("INT16", [2], int_contents=[-5, 6]), [-5, 6]),
    "typed UINT32": (typed("UINT32", [2], uint_contents=[5, 6]), [5, 6]),
    "typed BOOL": (typed("BOOL", [2], bool_contents=[True, False]), [1, 0]),
    "no name, no version": (answering(name="", version=""), [0.5, 0.25]),
    "one column": (answering(values=np.array([[0.5], [0.25]])), [[0.5], [0.25]]),
    "NaN, which the model layer refuses": (answering(values=np.array([np.nan, np.inf])), [np.nan, np.inf]),
}


@pytest.mark.parametrize("case", GOOD)
def test_forms_of_an_answer(server: InferenceServer, case: str) -> None:
    """Raw or typed, of every type of numbers, they become float64 of the same values and shape."""
    answer, values = GOOD[case]
    server.twists["ModelInfer"] = lambda request, context, proper: answer
    with opened(server.uri("scorer"), version="1") as transport:
        got = transport.infer({"events": ROWS}, "score", soon())
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, values)


def doubled() -> Any:
    answer = answering()
    answer.raw_output_contents.append(b"")
    return answer


BAD = {
    "another model": (answering(name="other"), "'other'"),
    "another version": (answering(version="2"), "'2'"),
    "another output": (answering(output="other"), "'score'"),
    "no output": (pb.ModelInferResponse(model_name="scorer"), "none"),
    "too few rows": (answering(values=np.array([0.5])), "for 2 rows"),
    "too many rows": (answering(values=np.zeros(3)), "for 2 rows"),
    "no axes": (raw("FP32", bytes(4)), "for 2 rows"),
    "too few bytes": (raw("FP32", bytes(4), 2), "1 values"),
    "odd bytes": (raw("FP32", bytes(7), 2), "7 bytes"),
    "a negative size": (raw("FP32", bytes(8), 2, -1), "(2, -1)"),
    "two negative sizes": (raw("FP32", bytes(8), -2, -1), "(-2, -1)"),
    "a huge shape": (raw("FP32", bytes(8), 2, 1 << 62), "2 values"),
    "strings": (raw("BYTES", b"\x01\x00\x00\x00a", 1), "BYTES"),
    "an unknown type": (raw("FP8", b"ab", 2), "FP8"),
    "bytes for no output": (doubled(), "1 outputs and bytes of 2"),
    "both raw and typed": (typed("FP32", [2], bytes(8), fp32_contents=[1, 2]), "as bytes and as numbers"),
    "typed in the wrong field": (typed("FP32", [2], fp64_contents=[1, 2]), "0 values"),
    "typed FP16": (typed("FP16", [2], fp32_contents=[1, 2]), "FP16"),
}


@pytest.mark.parametrize("case", BAD)
def test_answers_that_are_none(server: InferenceServer, case: str) -> None:
    """A wrong answer is never a wrong number."""
    answer, words = BAD[case]
    server.twists["ModelInfer"] = lambda request, context, proper: answer
    with (
        opened(server.uri("scorer"), version="1") as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", words),
    ):
        transport.infer({"events": ROWS}, "score", soon())


@pytest.mark.parametrize(
    ("name", "versions", "word"), [("other", ["1"], "'other'"), ("scorer", ["2"], "'2'")]
)
def test_metadata_of_another_model(
    server: InferenceServer, name: str, versions: list[str], word: str
) -> None:
    """Metadata must be of the model and the version asked for."""
    answer = pb.ModelMetadataResponse(name=name, versions=versions)
    server.twists["ModelMetadata"] = lambda request, context, proper: answer
    with (
        opened(server.uri("scorer"), version="1") as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "metadata", word),
    ):
        transport.describe(soon())


def test_a_call_over_our_limit(server: InferenceServer) -> None:
    """Is not sent; the error names both sizes."""
    with (
        opened(server.uri("scorer"), message_bytes=1000) as transport,
        failing(DoesNotFit, "ENDPOINT_REFUSED", "limit of 1000 bytes"),
    ):
        transport.infer({"events": np.zeros((100, 4, 3), np.float32)}, "", soon())
    assert server.calls == []


def test_an_answer_over_our_limit(server: InferenceServer) -> None:
    """Is not read; that is no overload, and asking again would not help."""
    server.twists["ModelInfer"] = lambda request, context, answer: answering(values=np.zeros(1000))
    with (
        opened(server.uri("scorer"), message_bytes=1000) as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "limit of 1000 bytes"),
    ):
        transport.infer({"events": ROWS}, "", soon())


def test_a_call_over_the_servers_limit() -> None:
    """Is a refusal too, with the server's words: neither overload nor an answer of ours."""
    with (
        InferenceServer({"m": ServedModel(SCORER)}, message_bytes=1000) as server,
        opened(server.uri("m")) as transport,
        failing(DoesNotFit, "ENDPOINT_REFUSED", "1000"),
    ):
        transport.infer({"events": np.zeros((100, 4, 3), np.float32)}, "", soon())


def test_nobody_there_and_back(server: InferenceServer) -> None:
    """An endpoint that is down is TryAgain; once it is back, the same transport finds it."""
    with opened(server.uri("scorer")) as transport:
        transport.infer({"events": ROWS}, "", soon())
        assert transport.ready(soon())
        server.stop()
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE", "scorer"):
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
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE"):
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
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE"):
            call.result(PATIENCE)
        with failing(TryAgain, "ENDPOINT_UNAVAILABLE", "closed"):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())
        free.set()


def test_a_host_that_is_not_known() -> None:
    """With and without a guard, a name that does not resolve may be asked for again."""
    for guard in (None, open_guard):
        with (
            opened("grpc://no-such-name.invalid:1/m", guard=guard) as transport,
            failing(TryAgain, "ENDPOINT_UNAVAILABLE"),
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
    loopback = (ip_network("127.0.0.0/8"),)
    server_is_v4 = f"grpc://127.0.0.1:{server.port}/scorer"
    with opened(server_is_v4, guard=lambda uri: AddressGuard(uri, loopback)) as transport:
        assert transport.ready(soon())


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
        with opened(
            server.uri("scorer"), guard=lambda uri: AddressGuard(uri, (ip_network("127.0.0.0/8"),))
        ) as one:
            one.infer({"events": ROWS}, "", soon())

    use()
    before, files = threads(), len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        use()
    eventually(lambda: {each for each in threads() if "inference" not in each.name} <= before)
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= files + 5)
