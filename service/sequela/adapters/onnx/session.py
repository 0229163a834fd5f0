"""Opens the onnxruntime session of a model, runs batches, and reports each failure in one line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sequela.adapters.model_io.fixed_sizes import MAX_CALL_CELLS
from sequela.adapters.onnx.memory_arena import is_out_of_memory, limit_memory, release_unused_memory
from sequela.adapters.onnx.provider import ExecutionProvider, session_providers
from sequela.adapters.onnx.run_guard import ModelCall, Watchdog, watchdog
from sequela.adapters.onnx.runtime_errors import why_failed, why_refused
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.limits import Limits

Feeds = Mapping[str, NDArray[Any]]
"""Values by input name; the first axis of each is the batch."""

LOG_FATAL_ONLY = 4
FLOAT64_BYTES = 8
OUTPUT_SHARE = 8
"""The share of the memory limit that one output in float64 may take. An output of booleans grows eightfold when it is
cast, outside that limit.
"""
MAX_FOLDED_BYTES = "optimization.constant_folding_max_output_size_in_bytes"
CRASHING_OPTIMIZERS = ("MatmulTransposeFusion",)
"""This optimizer crashes on a Transpose that moves the batch, followed by a Cast and a MatMul (seen in 1.31)."""

# Messages that belong to no session, such as those about devices, would go to standard error too.
onnxruntime.set_default_logger_severity(LOG_FATAL_ONLY)


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """Runs a graph for one of its outputs. Safe to call from several threads at once.

    Attributes:
        runtime: The onnxruntime session.
        output: The output's name.
        fixed_batch: The number of rows of every call, if the graph fixes it.
        max_rows: How many different rows may go into a call, if that is fewer.
        row_tolerance: How much a row's output may differ between batches, as a share of its largest value.
        max_output_bytes: The largest size of the output of one call, in float64.
    """

    runtime: Any
    output: str
    fixed_batch: int | None
    watchdog: Watchdog
    max_rows: int | None = None
    row_tolerance: float = 0.0
    max_output_bytes: int = 1 << 30

    def run(self, feeds: Feeds, until: float = math.inf) -> NDArray[np.float64]:
        """Runs rows, in several calls if the batch size is fixed.

        Args:
            feeds: Inputs by name, each of n rows.
            until: A deadline on the monotonic clock.

        Returns:
            The output in float64; its first axis is n.

        Raises:
            DoesNotFit: MODEL_FAILED if onnxruntime fails or does not return n rows of numbers; MODEL_TOO_SLOW if a
                call reached the limit of one call; MODEL_OUTPUT_TOO_LARGE.
            DeadlinePassed: A call reached `until` first.
        """
        rows = len(next(iter(feeds.values())))
        size = self.fixed_batch or self.max_rows
        if size is None:
            return self._call(feeds, rows, until)
        # With a fixed batch of 4 and one row a call, that row is repeated four times.
        step = self.max_rows or size
        self._check_cells(feeds, size)
        parts = [self._call(chunk, size, until)[:step] for chunk in _chunks(feeds, rows, step, size)]
        return stack_rows(parts, self.output)[:rows]

    def fetch(self, names: Sequence[str], feeds: Feeds, until: float = math.inf) -> list[Any]:
        """Runs one call and returns several outputs, unchanged. Raises as `run`."""
        with self.watchdog.watch(until) as call:
            return self._fetch(names, feeds, call, until)

    def _call(self, feeds: Feeds, rows: int, until: float) -> NDArray[np.float64]:
        with self.watchdog.watch(until) as call:
            (output,) = self._fetch([self.output], feeds, call, until)
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiub":
            raise DoesNotFit("MODEL_FAILED", f"the model's output {self.output!r} is not a tensor of numbers")
        if output.ndim == 0 and rows == 1:  # A squeeze of all axes of size 1 removes the batch's as well.
            output = output.reshape(1)
        if output.ndim == 0 or len(output) != rows:
            text = f"the model's output {self.output!r} has shape {output.shape} for {rows} sequences. "
            text += "Export the model with the batch as the output's first axis (batch_first=True, squeeze(-1) instead "
            text += "of squeeze(), no mean over all axes)"
            raise DoesNotFit("MODEL_FAILED", text)
        if output.size * FLOAT64_BYTES > self.max_output_bytes:
            text = f"the model's output {self.output!r} has shape {output.shape}, which exceeds the limit of "
            text += f"{self.max_output_bytes} bytes in float64 (an eighth of --max-model-memory-bytes)"
            raise DoesNotFit("MODEL_OUTPUT_TOO_LARGE", text)
        return output.astype(np.float64)

    def _check_cells(self, feeds: Feeds, size: int) -> None:
        """Raises DoesNotFit if a call of `size` rows would hold too many numbers."""
        cells = size * sum(math.prod(values.shape[1:]) for values in feeds.values())
        if cells > MAX_CALL_CELLS:
            text = f"the model takes {size} sequences in every call, {cells} numbers of this length, but the limit is "
            text += f"{MAX_CALL_CELLS}; export it with a smaller batch, or a free one"
            raise DoesNotFit("MODEL_FAILED", text)

    def _fetch(self, names: Sequence[str], feeds: Feeds, call: ModelCall, until: float) -> list[Any]:
        try:
            return self._run_with_room(names, feeds, call)
        except Exception as error:  # onnxruntime's errors have no base class of their own.
            if call.stopped and call.end == until:
                raise DeadlinePassed from None
            raise self._failure(error, call.stopped) from None

    def _run_with_room(self, names: Sequence[str], feeds: Feeds, call: ModelCall) -> list[Any]:
        """Runs the model, and once more if others had left the memory in pieces that were too small."""
        try:
            found: list[Any] = self.runtime.run(names, feeds, call.options)
            return found
        except Exception as error:  # onnxruntime's errors have no base class of their own.
            if call.stopped or not is_out_of_memory(error):
                raise
        release_unused_memory()
        return list(self.runtime.run(names, feeds, call.options))

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
    """Opens a session with limits of memory and time, its own threads, and no custom operators.

    Args:
        content: The bytes of an ONNX model that passed `file.read_onnx`, or of one made from it.
        output: The output that `Session.run` gives.
        fixed_batch: The number of rows of every call, if the graph fixes it.
        threads: The size of the session's thread pools.
        limits: The server's limits of memory and of the time of one call.
        path: The field of the request that holds the model, for errors.
        provider: What to compute on.

    Raises:
        InvalidInput: MODEL_NOT_RUNNABLE if onnxruntime does not load the graph.
    """
    limit_memory(limits.max_model_memory_bytes)
    options = _session_options(threads, len(content))
    providers = session_providers(provider, limits.max_model_memory_bytes)
    try:
        runtime = _open_with_room(content, options, providers)
    except Exception as error:  # onnxruntime's errors have no base class of their own.
        text = f"onnxruntime does not load the model: {why_refused(error)}"
        raise InvalidInput.at(path, "MODEL_NOT_RUNNABLE", text) from None
    return Session(
        runtime,
        output,
        fixed_batch,
        watchdog(limits.max_model_call_seconds),
        max_output_bytes=limits.max_model_memory_bytes // OUTPUT_SHARE,
    )


def _open_with_room(content: bytes, options: Any, providers: Sequence[tuple[str, Mapping[str, Any]]]) -> Any:
    """Opens a session, and tries once more if others had left the memory in pieces that were too small."""

    def opened() -> Any:
        return onnxruntime.InferenceSession(
            content,
            options,
            providers=providers,
            disabled_optimizers=list(CRASHING_OPTIMIZERS),
            # Otherwise onnxruntime tries the CPU a second time after some errors, with the optimizers that crash.
            enable_fallback=int(len(providers) > 1),
        )

    try:
        return opened()
    except Exception as error:  # onnxruntime's errors have no base class of their own.
        if not is_out_of_memory(error):
            raise
    release_unused_memory()
    return opened()


def stack_rows(parts: Sequence[NDArray[np.float64]], output: str) -> NDArray[np.float64]:
    """Joins the outputs of several calls. Raises DoesNotFit (MODEL_FAILED) if their rows differ in shape."""
    shapes = sorted({part.shape[1:] for part in parts})
    if len(shapes) > 1:
        text = f"the model's output {output!r} has rows of shape {shapes[0]} for some sequences and {shapes[-1]} for "
        text += "others of the same length; its shape must not depend on what a sequence holds"
        raise DoesNotFit("MODEL_FAILED", text)
    return np.concatenate(parts)


def _session_options(threads: int, model_bytes: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = threads
    # The same request must get the same answer, bit for bit.
    options.use_deterministic_compute = True
    # Errors are raised as exceptions; what onnxruntime logs besides would go to stderr without structure.
    options.log_severity_level = LOG_FATAL_ONLY
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Constants that are computed while a model loads do not count towards the memory limit: none may be larger than
    # the file itself.
    options.add_session_config_entry(MAX_FOLDED_BYTES, str(model_bytes))
    # Threads that spin while they wait would take the CPU from other sessions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _chunks(feeds: Feeds, rows: int, step: int, size: int) -> Iterator[Feeds]:
    """Yields chunks of `step` rows, each filled up to `size` by repeating its last row."""
    for start in range(0, rows, step):
        indices = np.minimum(np.arange(start, start + size), min(start + step, rows) - 1)
        yield {name: values[indices] for name, values in feeds.items()}
