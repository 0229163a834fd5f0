"""The common part of the model servers of the tests: their ONNX models, their arguments, and how they stop.

It runs in the environments of the servers, beside `run_*.py`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

DATATYPES = {
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(bool)": "BOOL",
}
DTYPES = {"FP32": "f4", "FP64": "f8", "INT32": "i4", "INT64": "i8", "BOOL": "?"}

Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Tensor:
    """A tensor of a model as the Open Inference Protocol describes it. A free dimension is -1."""

    name: str
    datatype: str
    shape: Sequence[int]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(DTYPES[self.datatype])

    def as_dict(self) -> dict[str, Any]:
        """Returns name, datatype and shape."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


class OnnxModel:
    """A named ONNX model, run by one thread of ONNX Runtime."""

    def __init__(self, name: str, path: str) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.name = name
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [_tensor(each) for each in self._session.get_inputs()]
        self.outputs = [_tensor(each) for each in self._session.get_outputs()]

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """Computes all outputs by name. Errors of ONNX Runtime are passed on."""
        names = [each.name for each in self.outputs]
        return dict(zip(names, self._session.run(names, dict(arrays)), strict=True))


def arguments() -> argparse.Namespace:
    """Parses `http_port`, `grpc_port`, `delay` in seconds, and `models`, which are loaded."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--models", nargs="+", type=_model, required=True, metavar="NAME=PATH")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that every call takes at least")
    return parser.parse_args()


def end_with_parent() -> None:
    """Terminates this process when its standard input, a pipe from its parent, is closed. This also happens when the
    parent is killed.
    """
    threading.Thread(target=_wait_for_parent, name="parent", daemon=True).start()


def _wait_for_parent() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _model(argument: str) -> OnnxModel:
    name, _, path = argument.partition("=")
    return OnnxModel(name, path)


def _tensor(node: Any) -> Tensor:
    shape = [size if isinstance(size, int) else -1 for size in node.shape]
    return Tensor(node.name, DATATYPES[node.type], shape)
