"""Where a server's time goes: py-spy looks at its stacks a thousand times a second, from outside.

Only at threads that hold the interpreter: a model's arithmetic runs without it, and its stages' times are known.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

RATE = 1000  # looks a second
STARTS = "Sampling process"  # what py-spy says first


@dataclass(frozen=True, slots=True)
class Share:
    """A function's share of the interpreter's time: in itself, and with what it calls."""

    function: str
    inside: float
    below: float


@contextmanager
def profiled(pid: int, path: Path) -> Iterator[list[Share]]:
    """Fills the list on leaving, the busiest functions first; the stacks go to the file, folded, one a line. Where the
    machine lets nobody look into a process, the list stays empty and stderr says why.
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
    """From lines `outer;...;inner count`; the busiest in themselves first."""
    inside: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for line in stacks:
        frames, _, times = line.rpartition(" ")
        stack = frames.split(";")
        inside[stack[-1]] += int(times)
        below.update(dict.fromkeys(stack, int(times)))
    total = sum(inside.values())
    return [Share(name, times / total, below[name] / total) for name, times in inside.most_common()]
