"""Runs models in onnxruntime with one thread, as the service does."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def session(model: bytes | str | Path) -> onnxruntime.InferenceSession:
    """Returns a session. By default each would start a thread for every core, which costs more than a small model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
