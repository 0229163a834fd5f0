"""The onnxruntime session of one model: built from bytes, run in batches, every failure in one line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sequela.adapters.onnx.provider import ExecutionProvider, session_providers
from sequela.adapters.onnx.run_guard import ModelCall, Watchdog, limit_memory, watchdog
from sequela.adapters.onnx.runtime_errors import why_failed, why_refused
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.limits import Limits

Feeds = Mapping[str, NDArray[Any]]
"""Values by input name, the batch as their first axis."""

FATAL_ONLY = 4
MAX_FOLDED_BYTES = "optimization.constant_folding_max_output_size_in_bytes"
CRASHING_OPTIMIZERS = ("MatmulTransposeFusion",)
"""It ends the process for a Transpose that moves the batch, a Cast and a MatMul behind each other (seen
in 1.31)."""


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """Runs a graph for one of its outputs. Safe to call from several threads at once.

    `fixed_batch` is the number of rows of every call, where the graph fixes it; `most_rows` is how many different
    ones go into a call, where that is fewer. `noise`: what a row's output may differ by alone and beside others, in
    shares of its largest value.
    """

    runtime: Any
    output: str
    fixed_batch: int | None
    watchdog: Watchdog
    most_rows: int | None = None
    row_tolerance: float = 0.0

    def run(self, feeds: Feeds, until: float = math.inf) -> NDArray[np.float64]:
        """The output of n rows in float64, its first axis n; split and filled up where the batch size is
        fixed.

        Raises DoesNotFit: MODEL_FAILED where onnxruntime fails or answers anything but n rows of numbers,
        MODEL_TOO_SLOW where a call came to the limit of one call; TimeUp where it came to `until` first.
        """
        rows = len(next(iter(feeds.values())))
        size = self.fixed_batch or self.most_rows
        if size is None:
            return self._call(feeds, rows, until)
        step = self.most_rows or size
        parts = [self._call(chunk, size, until)[:step] for chunk in _chunks(feeds, rows, step, size)]
        return np.concatenate(parts)[:rows]

    def fetch(self, names: Sequence[str], feeds: Feeds, until: float = math.inf) -> list[Any]:
        """Outputs by name, as onnxruntime gives them.

        Raises DoesNotFit: MODEL_FAILED, MODEL_TOO_SLOW; TimeUp.
        """
        with self.watchdog.run(until) as run:
            return self._fetched(names, feeds, run, until)

    def _call(self, feeds: Feeds, rows: int, until: float) -> NDArray[np.float64]:
        with self.watchdog.run(until) as run:
            (output,) = self._fetched([self.output], feeds, run, until)
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiub":
            raise DoesNotFit("MODEL_FAILED", f"the model's output {self.output!r} is not a tensor of numbers")
        if output.ndim == 0 and rows == 1:  # a squeeze of all axes of 1 takes the batch's too
            output = output.reshape(1)
        if output.ndim == 0 or len(output) != rows:
            text = f"the model's output {self.output!r} has shape {output.shape} for {rows} sequences; keep "
            text += "the batch as its first axis (batch_first=True, squeeze(-1) instead of squeeze(), no mean over "
            text += "all axes)"
            raise DoesNotFit("MODEL_FAILED", text)
        return output.astype(np.float64)

    def _fetched(self, names: Sequence[str], feeds: Feeds, run: ModelCall, until: float) -> list[Any]:
        try:
            return list(self.runtime.run(names, feeds, run.options))
        except Exception as error:  # onnxruntime's errors share no base of their own
            if run.stopped and run.end == until:
                raise DeadlinePassed from None
            raise self._failure(error, run.stopped) from None

    def _failure(self, error: Exception, stopped: bool) -> DoesNotFit:
        if stopped:
            text = f"the model was stopped after {self.watchdog.seconds:g} s, the limit of one call"
            return DoesNotFit("MODEL_TOO_SLOW", text)
        return DoesNotFit("MODEL_FAILED", f"the model fails: {why_failed(error)}")


def open_session(
    content: bytes,
    output: str,
    fixed_batch: int | None,
    threads: int,
    limits: Limits,
    path: str,
    provider: ExecutionProvider = ExecutionProvider.CPU,
) -> Session:
    """A session in bounds of memory and time, with its own threads and no operators from outside.

    Raises InvalidInput (MODEL_NOT_RUNNABLE) where onnxruntime refuses the graph.
    """
    limit_memory(limits.max_model_memory_bytes)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = threads
    options.use_deterministic_compute = True
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Constants worked out at load lie outside the memory limit: none may be larger than the file itself.
    options.add_session_config_entry(MAX_FOLDED_BYTES, str(len(content)))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        providers = session_providers(provider, limits.max_model_memory_bytes)
        runtime = onnxruntime.InferenceSession(
            content, options, providers=providers, disabled_optimizers=list(CRASHING_OPTIMIZERS)
        )
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise InvalidInput.at(
            path, "MODEL_NOT_RUNNABLE", f"onnxruntime refuses it: {why_refused(error)}"
        ) from None
    return Session(runtime, output, fixed_batch, watchdog(limits.max_model_call_seconds))


def _chunks(feeds: Feeds, rows: int, step: int, size: int) -> Iterator[Feeds]:
    """Chunks of `step` rows, each filled up to `size` by repeating its last row."""
    for start in range(0, rows, step):
        chosen = np.minimum(np.arange(start, start + size), min(start + step, rows) - 1)
        yield {name: values[chosen] for name, values in feeds.items()}
