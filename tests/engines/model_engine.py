"""An engine that loads an ONNX file that nobody trusts, and runs it on several inputs.

A task is a seed, a line break, and the file. The result says how far it came: an error's class and text, or how many
runs were done. It stands in for what the service does with uploads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

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
FREE_SIZES = (2, 1, 0)  # of axes whose size is not declared
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
    for free in FREE_SIZES:
        for fill in (lambda shape: random.standard_normal(shape) * 3, lambda shape: np.full(shape, -1.0)):
            yield {each.name: _array(each, free, fill) for each in inputs}  # type: ignore[arg-type]


def _array(each: onnxruntime.NodeArg, free: int, fill: object) -> np.ndarray:
    shape = [size if isinstance(size, int) else free for size in each.shape or []]
    kind = KINDS.get(each.type, np.float32)
    with np.errstate(all="ignore"):
        return np.asarray(fill(shape)).astype(kind)  # type: ignore[operator]
