"""Names what the last bits of a result depend on besides our code: the processor, the libraries that compute, and the
variables of the environment by which these choose how.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "onnx", "onnxruntime")
EXTENSIONS = ("avx", "amx", "fma", "f16c", "asimd", "sve", "bf16", "i8mm")
"""Prefixes of the instruction sets that libraries choose their kernels by."""
VARIABLES = ("OPENBLAS_CORETYPE", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES")
"""They override which instruction sets are used."""


def key() -> str:
    """Returns a text that is the same on machines whose results can be compared bit for bit."""
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"  # 3.12 changed how sum() adds floats
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    system = " ".join([platform.system(), platform.machine(), *platform.libc_ver()])
    variables = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    return "; ".join([system, _processor(), python, *libraries, *variables])


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
