"""Serves ONNX files by the Open Inference Protocol, version 2, over gRPC, in this process. Tests can make it slow or
wrong.

    python -m inference_server model.onnx seconds

This command serves a model whose calls take that many seconds, prints its URI, and runs until its standard input is
closed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
import onnxruntime
import trustme
from free_ports import bind_any
from numpy.typing import NDArray
from sequela_proto.inference import open_inference_pb2 as pb
from sequela_proto.inference import open_inference_pb2_grpc as rpc

Feeds = Mapping[str, NDArray[Any]]
Twist = Callable[[Any, grpc.ServicerContext, Callable[[], Any]], Any]
"""A function that is called instead of a method, with the request, its context, and the function that answers
correctly.
"""

DATATYPES = {
    "tensor(float)": "FP32",
    "tensor(float16)": "FP16",
    "tensor(double)": "FP64",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(bool)": "BOOL",
    "tensor(string)": "BYTES",
}
NUMPY = {"FP32": "<f4", "FP16": "<f2", "FP64": "<f8", "INT32": "<i4", "INT64": "<i8", "BOOL": "?"}


class WrongCall(Exception):
    """The caller asks for something that the model does not have."""


@dataclass(frozen=True)
class Tensor:
    name: str
    datatype: str
    shape: tuple[int, ...]


class ServedModel:
    """An ONNX file, with a record of its calls.

    Attributes:
        max_rows: The largest number of rows in a call; 0 for any number.
        delay: How long a call takes, in seconds.
    """

    def __init__(self, content: bytes, max_rows: int = 0, delay: float = 0.0, version: str = "1") -> None:
        self._session = _session(content)
        self.inputs = [_tensor(item) for item in self._session.get_inputs()]
        self.outputs = [_tensor(item) for item in self._session.get_outputs()]
        self.max_rows, self.delay, self.version = max_rows, delay, version
        self.batches: list[int] = []
        """Rows of each call."""
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def run(self, feeds: Feeds, output: str) -> tuple[Tensor, NDArray[Any]]:
        """Computes one output, by default the first. Raises WrongCall."""
        with self._lock:
            self.batches.append(len(next(iter(feeds.values()))))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            time.sleep(self.delay)
            return self._run(feeds, output)
        finally:
            with self._lock:
                self.at_once -= 1

    def _run(self, feeds: Feeds, output: str) -> tuple[Tensor, NDArray[Any]]:
        found = [item for item in self.outputs if output in ("", item.name)]
        if not found:
            raise WrongCall(f"unexpected inference output '{output}'")
        if self.max_rows and self.batches[-1] > self.max_rows:
            raise WrongCall(f"batch size must be <= {self.max_rows}")
        try:
            return found[0], self._session.run([found[0].name], dict(feeds))[0]
        except Exception as error:  # onnxruntime raises a different class for each of its codes
            raise WrongCall(str(error)) from None


@cache
def _session(content: bytes) -> onnxruntime.InferenceSession:
    """Returns a session, which is safe to use from several threads, so that servers of one file share it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _tensor(item: Any) -> Tensor:
    shape = tuple(size if isinstance(size, int) else -1 for size in item.shape)
    return Tensor(item.name, DATATYPES[item.type], shape)


class Certificates:
    """An authority, with a certificate for the server and one for a client, as files in a folder."""

    def __init__(self, folder: Path, *names: str) -> None:
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.server = self._pair(
            authority.issue_cert(*(names or ("localhost", "127.0.0.1"))), folder / "server"
        )
        self.client = self._pair(authority.issue_cert("client@example.org"), folder / "client")

    @staticmethod
    def _pair(issued: trustme.LeafCert, base: Path) -> tuple[Path, Path]:
        certificate, key = base.with_suffix(".pem"), base.with_suffix(".key")
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return certificate, key

    def of_server(self, clients: bool) -> grpc.ServerCredentials:
        """Returns credentials for a server. `clients` says whether clients must present a certificate, too."""
        certificate, key = (file.read_bytes() for file in self.server)
        return grpc.ssl_server_credentials(
            [(key, certificate)], self.ca.read_bytes() if clients else None, clients
        )


@dataclass(frozen=True)
class Call:
    """What the server received with a call."""

    method: str
    metadata: Mapping[str, str]
    request: Any


@dataclass
class InferenceServer:
    """A server that runs inside a `with` block, on a port that stays the same when it is stopped and started again.

    Attributes:
        twists: Functions that are called instead of a method, by the name of the method, such as `ModelInfer`.
        triton: Whether it has Triton's method ModelConfig.
    """

    models: Mapping[str, ServedModel]
    certificates: Certificates | None = None
    client_certificates: bool = False
    triton: bool = False
    message_bytes: int = 64 << 20
    twists: dict[str, Twist] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0
    _server: grpc.Server | None = None
    _pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def uri(self, name: str) -> str:
        """Returns the URI of a model."""
        return f"grpc{'s' if self.certificates else ''}://{self.host}:{self.port}/{name}"

    def start(self) -> None:
        """Starts the server, or starts it again."""
        limits = [
            ("grpc.max_receive_message_length", self.message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
        self._pool = ThreadPoolExecutor(16, "inference")
        self._server = grpc.server(self._pool, options=limits)
        rpc.add_GRPCInferenceServiceServicer_to_server(_Servicer(self), self._server)
        self.port = self._bind(self._server, self.port) if self.port else self._bind_any(self._server)
        self._server.start()

    def _bind_any(self, server: grpc.Server) -> int:
        return bind_any(lambda port: self._bind(server, port))

    def _bind(self, server: grpc.Server, port: int) -> int:
        address = f"{self.host}:{port}"
        if self.certificates:
            return server.add_secure_port(address, self.certificates.of_server(self.client_certificates))
        return server.add_insecure_port(address)

    def stop(self) -> None:
        """Stops the server at once, and cuts off running calls."""
        if self._server is not None and self._pool is not None:
            self._server.stop(0).wait()
            self._pool.shutdown()
            self._server = self._pool = None


class _Servicer(rpc.GRPCInferenceServiceServicer):
    """Answers every method, unless a twist replaces it."""

    def __init__(self, server: InferenceServer) -> None:
        self._server = server

    def ServerLive(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("ServerLive", request, context, lambda: pb.ServerLiveResponse(live=True))

    def ServerReady(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("ServerReady", request, context, lambda: pb.ServerReadyResponse(ready=True))

    def ModelReady(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        ready = request.name in self._server.models
        return self._answer("ModelReady", request, context, lambda: pb.ModelReadyResponse(ready=ready))

    def ModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> pb.ModelMetadataResponse:
            model = self._model(request.name, context)
            return pb.ModelMetadataResponse(
                name=request.name,
                versions=[model.version],
                platform="onnxruntime_onnx",
                inputs=[_metadata(item) for item in model.inputs],
                outputs=[_metadata(item) for item in model.outputs],
            )

        return self._answer("ModelMetadata", request, context, answer)

    def ModelConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> pb.ModelConfigResponse:
            if not self._server.triton:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")
            rows = self._model(request.name, context).max_rows
            return pb.ModelConfigResponse(config=pb.ModelConfig(name=request.name, max_batch_size=rows))

        return self._answer("ModelConfig", request, context, answer)

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> pb.ModelInferResponse:
            model = self._model(request.model_name, context)
            output = request.outputs[0].name if request.outputs else ""
            try:
                tensor, values = model.run(read_feeds(request), output)
            except WrongCall as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            return infer_answer(request.model_name, model.version, tensor.name, tensor.datatype, values)

        return self._answer("ModelInfer", request, context, answer)

    def _answer(
        self, method: str, request: Any, context: grpc.ServicerContext, answer: Callable[[], Any]
    ) -> Any:
        metadata = {item.key: str(item.value) for item in context.invocation_metadata()}
        self._server.calls.append(Call(method, metadata, request))
        twist = self._server.twists.get(method)
        return twist(request, context, answer) if twist else answer()

    def _model(self, name: str, context: grpc.ServicerContext) -> ServedModel:
        if name not in self._server.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{name}' is not found")
        return self._server.models[name]


def infer_answer(name: str, version: str, output: str, datatype: str, values: NDArray[Any]) -> Any:
    """Returns a response with one output as raw bytes."""
    answer = pb.ModelInferResponse(model_name=name, model_version=version)
    answer.outputs.add(name=output, datatype=datatype, shape=values.shape)
    answer.raw_output_contents.append(values.astype(NUMPY[datatype]).tobytes())
    return answer


def read_feeds(request: Any) -> dict[str, NDArray[Any]]:
    """Returns the inputs of a call by name."""
    raw = zip(request.inputs, request.raw_input_contents, strict=True)
    return {
        item.name: np.frombuffer(content, NUMPY[item.datatype]).reshape(tuple(item.shape))
        for item, content in raw
    }


def _metadata(item: Tensor) -> Any:
    return pb.ModelMetadataResponse.TensorMetadata(name=item.name, datatype=item.datatype, shape=item.shape)


def main() -> None:
    """Serves the model that the command line names."""
    model = ServedModel(Path(sys.argv[1]).read_bytes(), delay=float(sys.argv[2]))
    with InferenceServer({"model": model}) as server:
        print(server.uri("model"), flush=True)  # noqa: T201  # it is what the caller waits for
        sys.stdin.read()


if __name__ == "__main__":
    main()
