"""Calls a served model for other explainers: a plain client of the Open Inference Protocol over gRPC."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import numpy as np

from benchmarks.peers.scorer import Float32s, Sequences

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "proto" / "python"))

from sequela_proto.inference import (
    open_inference_pb2 as pb,
)  # in a peer's environment, the generated code is imported from the repository
from sequela_proto.inference import open_inference_pb2_grpc as rpc

MESSAGE_BYTES = 64 << 20


class Asking:
    """Scores sequences (n, l, d) as (n, 1), with `batch` rows a call and `at_once` calls at a time. The model has one
    input.
    """

    def __init__(self, uri: str, batch: int, at_once: int) -> None:
        where = urlsplit(uri)
        self._name = where.path.strip("/")
        options = [
            ("grpc.max_send_message_length", MESSAGE_BYTES),
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ]
        self._stub = rpc.GRPCInferenceServiceStub(grpc.insecure_channel(where.netloc, options))
        metadata = self._stub.ModelMetadata(pb.ModelMetadataRequest(name=self._name))
        self._input = metadata.inputs[0].name
        self._batch, self._threads = batch, ThreadPoolExecutor(at_once)
        self._lock = threading.Lock()
        self.rows = self.calls = 0

    def __call__(self, sequences: Sequences) -> Float32s:
        """The scores of any number of rows."""
        return np.concatenate(list(self._threads.map(self._ask, self._parts(sequences)))).reshape(-1, 1)

    def _parts(self, sequences: Sequences) -> Iterator[Sequences]:
        return (sequences[i : i + self._batch] for i in range(0, len(sequences), self._batch))

    def _ask(self, rows: Sequences) -> Float32s:
        with self._lock:
            self.rows += len(rows)
            self.calls += 1
        request = pb.ModelInferRequest(model_name=self._name)
        request.inputs.add(name=self._input, datatype="FP32", shape=rows.shape)
        request.raw_input_contents.append(rows.astype("<f4").tobytes())
        return np.frombuffer(self._stub.ModelInfer(request).raw_output_contents[0], "<f4")
