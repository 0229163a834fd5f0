"""The memory that onnxruntime takes for all models of the process: its limit, and how to give unused parts back.

The arena keeps what models have used, in pieces, and counts it towards the limit. A model that needs one large piece
may fail although most of the arena is free, until the free pieces are given back.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

EXTEND_AS_REQUESTED = 1
"""onnxruntime's arena strategy that allocates what is asked for, instead of the next power of two."""
OUT_OF_MEMORY = ("Available memory of", "Failed to allocate memory")
"""How onnxruntime's errors say that the arena has no room."""
SHRINK = ("memory.enable_memory_arena_shrinkage", "cpu:0")
LOG_NOTHING = 4

_lock = threading.Lock()


def limit_memory(max_bytes: int) -> None:
    """Limits the memory that all sessions opened from now on hold together, until another limit is set."""
    with _lock:  # several models may be loaded at a time
        _limit_memory(max_bytes)


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether an error of onnxruntime says that the arena has no room."""
    return any(text in str(error) for text in OUT_OF_MEMORY)


def release_unused_memory() -> None:
    """Gives the free pieces of the arena back. Models that are running are not affected."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(*SHRINK)
    try:
        _failing_session().run(None, {"x": np.zeros(1, np.float32)}, options)
    except Exception:  # as it is meant to; onnxruntime's errors have no base class of their own
        return


@functools.lru_cache(maxsize=1)
def _limit_memory(max_bytes: int) -> None:
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    arena = onnxruntime.OrtArenaCfg({"max_mem": max_bytes, "arena_extend_strategy": EXTEND_AS_REQUESTED})
    onnxruntime.create_and_register_allocator(memory, arena)
    _failing_session.cache_clear()


@functools.lru_cache(maxsize=1)
def _failing_session() -> Any:
    """Returns a session whose runs fail. The arena shrinks after a run, and a run that fails holds no piece of it."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [2])
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "failing",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = LOG_NOTHING
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
