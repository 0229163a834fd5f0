"""Execution providers: what onnxruntime computes on."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import onnxruntime

SUFFIX = "ExecutionProvider"


class ExecutionProvider(StrEnum):
    """An execution provider of onnxruntime, as settings name it."""

    CPU = "cpu"
    CUDA = "cuda"

    @property
    def full_name(self) -> str:
        """The name that onnxruntime uses: `CPUExecutionProvider`."""
        return f"{self.name}{SUFFIX}"


def installed_providers() -> tuple[ExecutionProvider, ...]:
    """Returns the providers that the installed onnxruntime was built with."""
    available = onnxruntime.get_available_providers()
    return tuple(provider for provider in ExecutionProvider if provider.full_name in available)


def session_providers(provider: ExecutionProvider, memory_bytes: int) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns the providers to open a session with, in order: the CPU runs the nodes that `provider` does not support.

    On CUDA each session may hold `memory_bytes`, and float32 stays float32: TF32 would add noise in the third digit.
    """
    cpu: tuple[str, Mapping[str, Any]] = (ExecutionProvider.CPU.full_name, {})
    if provider is ExecutionProvider.CPU:
        return [cpu]
    return [(provider.full_name, {"gpu_mem_limit": memory_bytes, "use_tf32": 0}), cpu]


def is_active(provider: ExecutionProvider, runtime: Any) -> bool:
    """Returns whether a session runs on the provider. onnxruntime continues without a provider that it cannot load."""
    return provider.full_name in runtime.get_providers()


def active_providers(runtime: Any) -> str:
    """Returns the providers of a session as messages name them: `CUDA, CPU`."""
    return ", ".join(name.removesuffix(SUFFIX) for name in runtime.get_providers())
