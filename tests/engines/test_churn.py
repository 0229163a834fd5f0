"""Many callers, engines that die, callers that give up: nobody waits for ever, and answers are never mixed."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from engines.pools_of_engines import SANDBOXED, TRUSTED, Listener, alive, call, open_files, running, upper
from sequela.concurrency.deadline import Deadline
from sequela.engines.exits import EngineLost, EngineTaskFailed, ExitReason
from sequela.engines.limits import EngineLimits
from sequela.engines.pool import EnginePool
from sequela.errors import Cancelled, OutOfTime
from waiting import eventually

CALLERS = 8
SECONDS = 8.0
DEADLINE_SECONDS = 30.0


class Caller:
    """Sends random tasks until it is told to stop, and checks what it gets."""

    def __init__(self, pool: EnginePool, seed: int, affinities: str) -> None:
        self._pool = pool
        self._random = Random(seed)
        self._affinities = affinities
        self.answers = self.errors = 0
        self.longest = 0.0
        self.problem: BaseException | None = None
        self.pids: set[int] = set()

    def run(self, over: threading.Event) -> None:
        try:
            while not over.is_set():
                self._ask()
        except BaseException as error:
            self.problem = error

    def _ask(self) -> None:
        word = f"{self._random.getrandbits(32):x}"
        task = self._random.choices(
            [f"echo {word}", f"question {word} {word}", "pid", "obey", "die 11", "leave 3", "fail x", "hang"],
            [40, 20, 10, 6, 6, 6, 6, 1],
        )[0]
        deadline = Deadline(0.2 if task in ("obey", "hang") else DEADLINE_SECONDS)
        if self._random.random() < 0.1:
            deadline.cancel()
        start = time.monotonic()
        try:
            answer = self._pool.call(task.encode(), deadline, upper, self._random.choice(self._affinities))
        except (EngineLost, EngineTaskFailed, Cancelled, OutOfTime):
            self.errors += 1
        else:
            self._check(task, word, answer.decode())
        self.longest = max(self.longest, time.monotonic() - start)

    def _check(self, task: str, word: str, answer: str) -> None:
        self.answers += 1
        verb = task.split(maxsplit=1)[0]
        if verb == "pid":
            self.pids.add(int(answer))
        elif verb == "obey":
            assert answer.split(maxsplit=1)[0] in ("DeadlinePassed", "Cancelled")
        else:
            assert answer == {"echo": word, "question": f"{word}|{word}".upper()}[verb]


@pytest.mark.slow
@pytest.mark.parametrize("limits", [TRUSTED, SANDBOXED], ids=["trusted", "sandboxed"])
def test_nobody_waits_for_ever_and_answers_are_never_mixed(limits: EngineLimits) -> None:
    """While engines crash, are killed from outside, make room for each other, and callers cancel."""
    listener = Listener()
    over = threading.Event()
    with running(size=3, limits=limits, listener=listener) as pool:
        call(pool, "echo x", affinity="a")
        before = open_files()
        callers = [Caller(pool, seed, "aabcd") for seed in range(CALLERS)]
        threads = [threading.Thread(target=each.run, args=(over,)) for each in callers]
        for thread in threads:
            thread.start()
        _kill_now_and_then(callers, Random(1))
        eventually(
            lambda: sum(each.answers for each in callers) > 50 or any(each.problem for each in callers)
        )
        over.set()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert [each.problem for each in callers] == [None] * CALLERS
        assert sum(each.answers for each in callers) > 50
        assert max(each.longest for each in callers) < 2 * DEADLINE_SECONDS
        assert call(pool, "echo x", affinity="z") == "x"
        eventually(lambda: open_files() <= before + 3 * 5)  # all three engines are up now
    # An engine that was not ready when the pool was closed has ended, and has never started.
    ended = [each for each in listener.exits if each.reason is not ExitReason.START_FAILED]
    assert listener.started <= len(ended) <= listener.started + 3
    pids = [pid for each in callers for pid in each.pids]
    eventually(lambda: not any(alive(pid) and _is_engine(pid) for pid in pids))


def _kill_now_and_then(callers: list[Caller], random: Random) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(0.3)
        pids = [pid for caller in callers for pid in tuple(caller.pids) if _is_engine(pid)]
        if pids:
            # It may have ended by itself meanwhile.
            with suppress(ProcessLookupError):
                os.kill(random.choice(pids), signal.SIGKILL)


def _is_engine(pid: int) -> bool:
    """Whether the number still means an engine: numbers are used again, by processes of others too."""
    try:
        return b"sequela.engines.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
