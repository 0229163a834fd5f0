"""Kills a bulk explanation at half, resumes it, and compares its files with those of an undisturbed run.

    python -m benchmarks.bulk.killed_run accounts.parquet folder count

explains the accounts, and prints how many are done after every batch of rows.
"""

import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from sequela_client.cohort import Cohort, explain_all
from sequela_client.cohort.run import Progress

from benchmarks.bulk.question import question, run_options
from benchmarks.peers.jobs import ROOT

LOCK = "_lock"  # the one file without content


@dataclass(frozen=True, slots=True)
class KilledRow:
    """A run that was killed and resumed.

    Args:
        sequences: how many accounts there were.
        done: how many were explained when the run was killed.
        kept: how many of those were in files, so that they were not explained again.
        seconds_whole: the time of the undisturbed run.
        seconds_killed: the time of the killed run.
        seconds_resumed: the time of the run that went on.
        equal: whether the files are those of the undisturbed run, byte for byte.
    """

    sequences: int
    done: int
    kept: int
    seconds_whole: float
    seconds_killed: float
    seconds_resumed: float
    equal: bool

    @property
    def seconds_lost(self) -> float:
        """How much longer both runs took than the undisturbed one."""
        return self.seconds_killed + self.seconds_resumed - self.seconds_whole


def kill_and_resume(source: Path, whole: Path, seconds_whole: float, out: Path) -> KilledRow:
    """Explains accounts into `out`, with SIGKILL at half, and compares it with the undisturbed run in `whole`.

    All times include the start of the servers, and leave out the start of Python with its imports.
    """
    count = len(Cohort.open(whole))
    done, seconds_killed = _killed(source, out, count)
    kept = len(Cohort.open(out)) if any(out.glob("part-*.parquet")) else 0
    started = time.perf_counter()
    explain_all(source, out, question(), run_options(count))
    seconds_resumed = time.perf_counter() - started
    return KilledRow(
        count, done, kept, seconds_whole, seconds_killed, seconds_resumed, digests(whole) == digests(out)
    )


def digests(folder: Path) -> dict[str, str]:
    """The digest of each file of a cohort, by name."""
    return {path.name: _digest(path) for path in sorted(folder.iterdir()) if path.name != LOCK}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _killed(source: Path, out: Path, count: int) -> tuple[int, float]:
    """How many accounts were done when the run was killed, and after how many seconds."""
    command = [sys.executable, "-m", "benchmarks.bulk.killed_run", str(source), str(out), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # its imports are done
        started, done = time.perf_counter(), 0
        while done < count // 2 and (line := process.stdout.readline()):
            done = int(line)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return done, time.perf_counter() - started


def _run(source: Path, out: Path, count: int) -> None:
    def report(progress: Progress) -> None:
        print(progress.done, flush=True)

    print(0, flush=True)
    explain_all(source, out, question(), run_options(count), report)


if __name__ == "__main__":
    _run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
