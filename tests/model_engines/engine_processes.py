"""Finds the processes of engines, so that tests can end or stop them."""

from __future__ import annotations

from pathlib import Path

from sequela.engines.fork_client import TRUSTED, UNTRUSTED, ForkServer


def trusted_engines() -> list[int]:
    """Returns the process numbers of the engines of the operator's models."""
    return _children(TRUSTED)


def untrusted_engines() -> list[int]:
    """Returns the process numbers of the engines of callers' models."""
    return _children(UNTRUSTED)


def _children(forkserver: ForkServer) -> list[int]:
    process = forkserver._process
    if process is None:
        return []
    parent = process._process.pid
    processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return sorted(int(each.name) for each in processes if _parent(each) == parent)


def _parent(process: Path) -> int:
    try:
        # The name of the program stands in parentheses, and may contain spaces.
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0
