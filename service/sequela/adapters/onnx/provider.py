"""What onnxruntime computes on."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import onnxruntime

SUFFIX = "ExecutionProvider"


class ExecutionProvider(StrEnum):
    """An execution provider of onnxruntime, as operators name it."""

    CPU = "cpu"
    CUDA = "cuda"

    @property
    def full_name(self) -> str:
        """As onnxruntime names it."""
        return f"{self.name}{SUFFIX}"


def installed() -> tuple[ExecutionProvider, ...]:
    """Those that the installed onnxruntime was built with."""
    offered = onnxruntime.get_available_providers()
    return tuple(provider for provider in ExecutionProvider if provider.full_name in offered)


def session_providers(provider: ExecutionProvider, memory_bytes: int) -> list[tuple[str, Mapping[str, Any]]]:
    """What a session is opened with: the CPU takes the nodes that the provider does not know.

    On CUDA each session holds at most so many bytes, and float32 stays float32: rounding to TF32 would add noise
    in the third digit.
    """
    cpu: tuple[str, Mapping[str, Any]] = (ExecutionProvider.CPU.full_name, {})
    if provider is ExecutionProvider.CPU:
        return [cpu]
    return [(provider.full_name, {"gpu_mem_limit": memory_bytes, "use_tf32": 0}), cpu]


def is_active(provider: ExecutionProvider, runtime: Any) -> bool:
    """Whether a session really runs on it: onnxruntime goes on without a provider that it cannot load."""
    return provider.full_name in runtime.get_providers()


def active_providers(runtime: Any) -> str:
    """What a session really runs on, for people."""
    return ", ".join(name.removesuffix(SUFFIX) for name in runtime.get_providers())
