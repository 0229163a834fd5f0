"""The limits of engines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The limits of each engine of a pool.

    Attributes:
        sandboxed: Whether engines run in the sandbox (`sequela.engines.sandbox`). They must if a task can contain
            a model that a caller sent.
        memory_bytes: How much memory an engine may allocate after it was sealed. 0 means no limit.
        cpu_seconds_per_task: Processor time of one task, of all threads together; between tasks it is a second. 0 means
            no limit.
        grace_seconds: How long a task may continue after its deadline, or after it was cancelled, before the engine is
            killed.
        start_seconds: How long an engine may take until it is ready.
        readable: Files and folders that a sandboxed engine may read.
        writable: Folders in which a sandboxed engine may also create and change files.
        unsafe: Whether sandboxed engines run even where the kernel offers neither Landlock nor seccomp.
        lazy: Whether engines start when the first task needs them, and not before.
        idle_seconds: How long an engine of a lazy pool may have nothing to do before it is ended.
        max_frame_bytes: The largest task, question, answer or result.
        max_questions: How many questions an engine may ask during one task.
        max_question_bytes: The size of all questions of one task.
    """

    sandboxed: bool
    memory_bytes: int = 0
    cpu_seconds_per_task: float = 0.0
    grace_seconds: float = 0.5
    start_seconds: float = math.inf
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    unsafe: bool = False
    lazy: bool = False
    idle_seconds: float = math.inf
    max_frame_bytes: int = 256 << 20
    max_questions: int = 100_000
    max_question_bytes: int = 1 << 30
