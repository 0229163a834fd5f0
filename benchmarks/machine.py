"""The machine and the versions that the figures were measured with."""

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Machine:
    """The name of the processor, the number of cores that this process may use, and the versions of packages."""

    processor: str
    cores: int
    python: str
    onnxruntime: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.processor}, {self.cores} cores, Python {self.python}, ONNX Runtime {self.onnxruntime}"


def this_machine() -> Machine:
    """Returns the machine that this process runs on."""
    return Machine(
        processor=_model_name() or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        python=platform.python_version(),
        onnxruntime=metadata.version("onnxruntime"),
    )


def _model_name() -> str:
    """Returns the name of the processor from /proc, which only Linux has; empty elsewhere."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
