"""Serves ONNX models with Triton Inference Server, through its Python backend (nvidia-pytriton).

It works in the current folder. Triton does not support tensors that have only the batch axis, so an input of shape (n)
is served as (n, 1), as its own ONNX backend does with `reshape`.
"""

from __future__ import annotations

import os
import signal
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx_models import OnnxModel, Tensor, arguments, end_with_parent
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig
from pytriton.model_config import Tensor as TritonTensor
from pytriton.triton import Triton, TritonConfig

MAX_BATCH_SIZE = 64


def scorer(model: OnnxModel, delay: float) -> Callable[..., dict[str, Any]]:
    """Returns the model as a function from arrays by input name to arrays by output name."""
    ranks = {each.name: len(each.shape) for each in model.inputs}

    @batch
    def infer(**arrays: np.ndarray[Any, Any]) -> dict[str, Any]:
        time.sleep(delay)
        outputs = model({name: each.reshape(each.shape[: ranks[name]]) for name, each in arrays.items()})
        return {each.name: outputs[each.name].reshape(-1, *_row(each)) for each in model.outputs}

    return infer


def bind(triton: Triton, model: OnnxModel, delay: float) -> None:
    """Serves the model as version 1, with one instance, which works on one batch at a time, made from all waiting
    calls.
    """
    triton.bind(
        model_name=model.name,
        infer_func=scorer(model, delay),
        inputs=[_declared(each) for each in model.inputs],
        outputs=[_declared(each) for each in model.outputs],
        config=ModelConfig(max_batch_size=MAX_BATCH_SIZE),
        strict=True,
    )


def _declared(tensor: Tensor) -> TritonTensor:
    return TritonTensor(name=tensor.name, dtype=tensor.dtype.type, shape=_row(tensor))


def _row(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape[1:]) or (1,)


def main() -> None:
    """Serves until it is terminated."""
    given = arguments()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    end_with_parent()
    # The process of Triton's Python backend looks for libpython there.
    os.environ["LD_LIBRARY_PATH"] = sysconfig.get_config_var("LIBDIR")
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=given.http_port,
        grpc_address="127.0.0.1",
        grpc_port=given.grpc_port,
        allow_metrics=False,
    )
    with Triton(config=config, workspace=Path("workspace")) as triton:
        for model in given.models:
            bind(triton, model, given.delay)
        stopped.wait()


if __name__ == "__main__":
    main()
