"""Profiles a server with py-spy, which samples its stacks a thousand times a second from another process.

Only threads that hold the interpreter lock are sampled. A model's computation runs without it, and is part of the
times of the stages.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

RATE = 1000  # samples a second
STARTS = "Sampling process"  # the beginning of py-spy's first message


@dataclass(frozen=True, slots=True)
class Share:
    """A function's share of the interpreter's time: by itself, and with the functions that it calls."""

    function: str
    inside: float
    below: float


@contextmanager
def profiled(pid: int, path: Path) -> Iterator[list[Share]]:
    """Profiles the process while the context is open, and then fills the list, the busiest functions first.

    The sampled stacks go to the file in the folded format, one stack a line. If the machine does not allow a look
    into other processes, the list stays empty, and a line on standard error says why.
    """
    shares: list[Share] = []
    command = [
        str(Path(sys.executable).with_name("py-spy")),
        *("record", "--format", "raw", "--function", "--gil", "--rate", str(RATE), "--output", str(path)),
        *("--duration", "unlimited", "--pid", str(pid)),
    ]
    spy = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield shares
    spy.send_signal(SIGINT)
    if spy.wait() == 0 and path.exists():
        shares += parse(path.read_text().splitlines())


def parse(stacks: Sequence[str]) -> list[Share]:
    """Functions from lines of the form `outer;...;inner count`, the busiest by themselves first."""
    inside: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for line in stacks:
        frames, _, times = line.rpartition(" ")
        stack = frames.split(";")
        inside[stack[-1]] += int(times)
        below.update(dict.fromkeys(stack, int(times)))
    total = sum(inside.values())
    return [Share(name, times / total, below[name] / total) for name, times in inside.most_common()]
