"""What a model is run on: as it was asked for, or said to be something else."""

from __future__ import annotations

import warnings

import pytest
from matrix import BY_NAME
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.provider import ExecutionProvider, session_providers
from structlog.testing import capture_logs

MEMORY = 3 << 20
CPU = ("CPUExecutionProvider", {})


def test_cuda_goes_before_the_cpu() -> None:
    """In the memory it may take, in full float32; the CPU is left the operators that CUDA does not know."""
    (name, options), last = session_providers(ExecutionProvider.CUDA, MEMORY)
    assert name == "CUDAExecutionProvider"
    assert options == {"gpu_mem_limit": MEMORY, "use_tf32": 0}
    assert last == CPU


def test_the_cpu_stands_alone() -> None:
    """Its memory is limited elsewhere."""
    assert session_providers(ExecutionProvider.CPU, MEMORY) == [CPU]


@pytest.mark.parametrize("provider", ExecutionProvider)
def test_a_provider_that_is_not_used_is_named_in_one_warning(provider: ExecutionProvider) -> None:
    """With what is used in its place; there is no warning where the model runs on the provider."""
    source = ModelBytes(BY_NAME["gru"].path.read_bytes(), b"", "onnx", "schema")
    with capture_logs() as logged, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnxruntime's own, which the log of a server has no place for
        model = Loader(provider=provider).load("m", source)
    found = [line for line in logged if line["log_level"] == "warning"]
    missing = {
        "event": "execution provider not used",
        "log_level": "warning",
        "model": "m",
        "wanted": provider.value,
        "used": "CPU",
    }
    assert found == ([] if provider.name in model.execution else [missing])
