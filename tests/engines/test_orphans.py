"""What is left when the front ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from engines.pools_of_engines import alive
from waiting import eventually


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGABRT, marks=pytest.mark.slow),
    ],
)
def test_no_process_outlives_the_front(number: signal.Signals) -> None:
    """However it ends: the forkserver sees its socket close, and the kernel ends the engines with the forkserver."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-m", "engines.front"], stdout=subprocess.PIPE, text=True, env=environment
    ) as front:
        assert front.stdout
        pids = [int(each) for each in front.stdout.readline().split()]
        assert len(pids) == 5
        assert all(map(alive, pids))
        front.send_signal(number)
        front.wait()
        eventually(lambda: not any(map(alive, pids)))
