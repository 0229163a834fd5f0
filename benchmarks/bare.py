"""Measures the time that ONNX Runtime alone takes for the same number of rows and events.

It runs batches of the fastest size, in one session and one thread for each core, and does nothing else.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort
from sequela_client import Explanation

from benchmarks.cases import Array, Case
from benchmarks.ours import unpruned

BATCHES = (32, 64, 128, 256, 512, 1024)

Feed = dict[str, Array]


def session(model: Path) -> ort.InferenceSession:
    """Returns a session that uses a single thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def events_per_row(explanation: Explanation) -> int:
    """Returns the number of events in each row: all if the model ran on whole sequences, else the unpruned ones."""
    whole = explanation.cost.model_events >= explanation.cost.model_rows * explanation.length
    return explanation.length if whole else unpruned(explanation)


def rate(case: Case, events: int, seconds: float) -> float:
    """Returns how many events a second all cores together run, on rows that have `events` recent events."""
    cores = len(os.sched_getaffinity(0))
    sessions = [session(case.model) for _ in range(cores)]

    def speed(batch: int, share: float) -> float:
        feed = {name: np.repeat(x[-events:][np.newaxis], batch, axis=0) for name, x in case.inputs.items()}
        with ThreadPoolExecutor(cores) as pool:
            counts = pool.map(lambda each: _calls(partial(each.run, None, feed), share), sessions)
        return sum(counts) * batch * events

    fastest = max(BATCHES, key=lambda batch: speed(batch, seconds / 10))
    return speed(fastest, seconds)


def _calls(call: Callable[[], object], seconds: float) -> float:
    """Returns the number of calls a second. A first call, which warms up, is not counted."""
    call()
    started, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        call()
        done += 1
    return done / elapsed
