"""Serves a model for benchmarks: the server of the tests in another process, with a fixed time for each call."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"


@contextmanager
def served(model: Path, seconds: float) -> Iterator[str]:
    """Serves a model in another process, which answers up to sixteen calls at a time, and yields its URI."""
    command = [sys.executable, "-m", "inference_server", str(model), str(seconds)]
    paths = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env=os.environ | {"PYTHONPATH": paths}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
