"""Names what the last bits of a result depend on besides our code: the processor, and the libraries that compute."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "onnx", "onnxruntime")
EXTENSIONS = ("avx", "amx", "fma", "f16c", "asimd", "sve", "bf16", "i8mm")
"""Prefixes of the instruction sets that libraries choose their kernels by."""


def key() -> str:
    """Returns a text that is the same on machines whose results can be compared bit for bit."""
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"  # 3.12 changed how sum() adds floats
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    system = " ".join([platform.system(), platform.machine(), *platform.libc_ver()])
    return "; ".join([system, _processor(), python, *libraries])


def _processor() -> str:
    """Returns vendor, family, model and instruction sets on Linux; elsewhere the name that Python gives."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor()
    told: dict[str, str] = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    flags = (told.get("flags") or told.get("Features") or "").split()
    chosen = sorted(flag for flag in flags if flag.startswith(EXTENSIONS))
    vendor = told.get("vendor_id") or told.get("CPU implementer", "")
    family = told.get("cpu family") or told.get("CPU part", "")
    return f"{vendor} family {family} model {told.get('model', '')}: {' '.join(chosen)}"
