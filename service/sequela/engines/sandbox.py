"""The sandbox of engines that run models of callers. What such an engine can reach if a model takes it over:

- its two sockets to the front, its own memory up to a limit, and the processor until the front kills it;
- no file, no network, no other process, no new program.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from sequela.engines import landlock, seccomp
from sequela.engines.libc import PR_SET_NO_NEW_PRIVS, drop_capabilities, prctl

MAX_OPEN_FILES = 64
MAX_FILE_BYTES = 64 * 1024  # of its log, which is the only file that it has
NICE = 10  # a smaller share of the processor than the front's
OOM_SCORE = 1000  # the kernel ends these processes first when memory is short
REPORT_SECONDS = 60


class SandboxMissing(Exception):
    """The kernel offers neither Landlock nor seccomp, or refuses both."""


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """What the kernel of this machine enforces on engines in the sandbox.

    Attributes:
        landlock_abi: The version of Landlock that denies files and TCP; 0 if there is none.
        seccomp: Whether system calls are filtered.
    """

    landlock_abi: int
    seccomp: bool

    @property
    def contained(self) -> bool:
        """Whether files and the network are out of reach."""
        return self.landlock_abi > 0 or self.seccomp

    @property
    def complete(self) -> bool:
        """Whether both measures are in force."""
        return self.landlock_abi > 0 and self.seccomp

    def __str__(self) -> str:
        landlock_part = f"Landlock ABI {self.landlock_abi}" if self.landlock_abi else "no Landlock"
        return f"{landlock_part}, {'seccomp' if self.seccomp else 'no seccomp'}"


@functools.cache
def sandbox_report() -> SandboxReport:
    """Returns what is in force in a sandbox, by putting a process into one.

    Containers may forbid what the kernel offers.
    """
    command = [sys.executable, "-P", "-m", "sequela.engines.sandbox"]
    path = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(  # noqa: S603
            command, env={"PYTHONPATH": path}, capture_output=True, timeout=REPORT_SECONDS, check=True
        )
        return SandboxReport(**json.loads(done.stdout))
    except (OSError, ValueError, TypeError, subprocess.SubprocessError):
        return SandboxReport(0, False)


def limit_resources(writes: bool) -> None:
    """Bounds what counts from the start: files, priority, and who ends first when memory is short."""
    Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    if not writes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))


def seal(
    memory_bytes: int = 0, readable: tuple[str, ...] = (), writable: tuple[str, ...] = ()
) -> SandboxReport:
    """Puts this process into the sandbox, permanently. It must have only one thread.

    Args:
        memory_bytes: How much memory it may still allocate; 0 for no limit.
        readable: Files and folders that it may read.
        writable: Folders in which it may also write.

    Raises:
        RuntimeError: There are other threads, which would stay outside.
    """
    if (threads := len(os.listdir("/proc/self/task"))) > 1:
        raise RuntimeError(f"the engine has {threads} threads; seal it before it starts any")
    allocated = _allocated_bytes()
    drop_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    abi = landlock.restrict(readable, writable)
    if memory_bytes:
        limit = allocated + memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return SandboxReport(abi, seccomp.refuse_calls(files=not readable and not writable))


def _allocated_bytes() -> int:
    """Returns what counts for RLIMIT_DATA already."""
    status = Path("/proc/self/status").read_text()
    line = next((line for line in status.splitlines() if line.startswith("VmData:")), "VmData: 0 kB")
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(seal())))
