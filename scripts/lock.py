"""Resolves `requirements/*.lock` from pyproject.toml, with hashes, for every supported platform and Python.

uv resolves them, in a temporary environment; pip alone is enough to install from them. The locks name packages and
hashes but no index, so they install from any mirror. Locked versions stay unless pyproject.toml rules them out.
Arguments are passed to uv (`--upgrade`, `--upgrade-package NAME`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = Path("requirements")
DEV = REQUIREMENTS / "dev.lock"
# What the tests of bulk explanation on an engine need.
ENGINE = ["pyproject.toml", "--extra", "service", "--group", "test", "--constraints", str(DEV)]
# The smaller locks take their versions from the largest, so that all can be installed into one environment.
LOCKS = {
    DEV: [
        "pyproject.toml",
        *(
            "--extra",
            "service",
            "--extra",
            "jwt",
            "--extra",
            "tracing",
            "--extra",
            "console",
            "--group",
            "dev",
        ),
    ],
    REQUIREMENTS / "service.lock": ["pyproject.toml", "--extra", "service", "--constraints", str(DEV)],
    # Of `make console`: the service, for the demo, and the console.
    REQUIREMENTS / "console.lock": [
        "pyproject.toml",
        *("--extra", "service", "--extra", "console", "--constraints", str(DEV)),
    ],
    REQUIREMENTS / "bench.lock": ["--group", "bench", "--constraints", str(DEV)],
    REQUIREMENTS / "audit.lock": ["--group", "audit"],
    REQUIREMENTS / "build.lock": ["--group", "build", "--constraints", str(DEV)],
    REQUIREMENTS / "protoc.lock": ["--group", "protoc", "--no-deps"],
    # Environments of their own (scripts/peer_env.py): Ray and Spark are large, and only their tests need them.
    REQUIREMENTS / "ray.lock": [*ENGINE, "--extra", "ray"],
    REQUIREMENTS / "spark.lock": [*ENGINE, "--extra", "spark"],
}
OPTIONS = [
    *("--universal", "--python-version", "3.11", "--fork-strategy", "fewest"),
    *("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate"),
    *("--custom-compile-command", "make lock", "--quiet"),
]


def main() -> None:
    """Installs uv, and resolves one lock after another."""
    # Wheels that exist on this machine only must not be chosen.
    environment = {name: value for name, value in os.environ.items() if name != "UV_FIND_LINKS"}
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "venv", scratch], check=True)
        python, uv = f"{scratch}/bin/python", f"{scratch}/bin/uv"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        for lock, sources in LOCKS.items():
            command = [
                uv,
                "--no-config",
                "pip",
                "compile",
                *OPTIONS,
                *sys.argv[1:],
                *sources,
                "-o",
                str(lock),
            ]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            print(lock)


if __name__ == "__main__":
    main()
