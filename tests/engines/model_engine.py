"""An engine that loads an ONNX file that nobody trusts, and runs it on several inputs.

A task is a seed, a line break, and the file. The result says how far it came: an error's class and text, or how many
runs were done. It stands in for what the service does with uploads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import onnx.checker
import onnxruntime
from google.protobuf.message import DecodeError
from sequela.concurrency.deadline import Deadline
from sequela.engines.channel import Ask, Channel

KINDS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int16)": np.int16,
    "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32,
    "tensor(uint32)": np.uint32,
    "tensor(int64)": np.int64,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.str_,
}
EDGES = np.array([-1.0, 0.0, 1.0, np.nan, np.inf, -np.inf, 2.0**31, -(2.0**63), 1e-40])
Fill = Callable[[list[int]], np.ndarray]
FREE_SIZES = (2, 1, 3)  # of axes whose size is not declared; 0 would end even honest recurrent models
MAX_TEXT = 300


def serve(config: bytes, channel: Channel) -> None:
    channel.serve(b"", handle)


def handle(task: bytes, _ask: Ask, _deadline: Deadline) -> bytes:
    seed, _, content = task.partition(b"\n")
    try:
        return f"ran {run(content, int(seed))}".encode()
    except MemoryError:
        raise
    except Exception as error:
        if "bad_alloc" in str(error) or "allocate memory" in str(error):
            raise MemoryError from error
        return f"{type(error).__name__}: {error}".encode(errors="replace")[:MAX_TEXT]


def run(content: bytes, seed: int) -> int:
    """Returns how many runs gave an answer."""
    with contextlib.suppress(DecodeError):  # the runtime has a parser of its own
        onnx.load_from_string(content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    done = 0
    for feed in feeds(session.get_inputs(), np.random.default_rng(seed)):
        try:
            session.run(None, feed)
            done += 1
        except (onnxruntime.capi.onnxruntime_pybind11_state.Fail, RuntimeError) as error:
            if "bad_alloc" in str(error):
                raise MemoryError from error
    return done


def feeds(inputs: list[onnxruntime.NodeArg], random: np.random.Generator) -> Iterator[dict[str, np.ndarray]]:
    """Yields inputs of several sizes and values."""
    fixed = all(isinstance(size, int) for each in inputs for size in each.shape or [])
    for free in FREE_SIZES[:1] if fixed else FREE_SIZES:
        for fill in (_usual, _edges):
            yield {each.name: _array(each, free, fill(random)) for each in inputs}


def _usual(random: np.random.Generator) -> Fill:
    return lambda shape: random.standard_normal(shape) * 3


def _edges(random: np.random.Generator) -> Fill:
    return lambda shape: random.choice(EDGES, shape)


def _array(each: onnxruntime.NodeArg, free: int, fill: Fill) -> np.ndarray:
    shape = [size if isinstance(size, int) else free for size in each.shape or []]
    with np.errstate(all="ignore"):
        return np.asarray(fill(shape)).astype(KINDS.get(each.type, np.float32))
