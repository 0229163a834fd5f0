"""What another process uses, as Linux tells it under /proc."""

from pathlib import Path

PROC = Path("/proc")
MB = 1e6


def children(parent: int) -> list[int]:
    """Ids of the processes that `parent` started and that still run."""
    return [int(each.name) for each in PROC.glob("[0-9]*") if _parent(each) == parent]


def resident_mb(pid: int) -> float:
    """Memory in use now, in MB. Raises FileNotFoundError where the process is gone."""
    return _status_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """The most memory in use since `forget_peak`, or since it started, in MB."""
    return _status_mb(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """From here on, `peak_mb` is that of what follows."""
    (PROC / str(pid) / "clear_refs").write_text("5")


def available_mb() -> float:
    """What a new process may take before the machine swaps, in MB."""
    return _mb((PROC / "meminfo").read_text(), "MemAvailable")


def _status_mb(pid: int, name: str) -> float:
    return _mb((PROC / str(pid) / "status").read_text(), name)


def _mb(text: str, name: str) -> float:
    line = next(line for line in text.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / MB


def _parent(process: Path) -> int | None:
    """None where it ended meanwhile."""
    try:
        # The name, in brackets, may hold anything; the parent's id comes second after it.
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
