"""Pools of engines: questions, replacement."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import pytest
from engines.pools_of_engines import (
    SANDBOXED,
    TRUSTED,
    Listener,
    alive,
    at_work,
    call,
    change_at_work,
    children,
    running,
    upper,
)
from sequela.concurrency.deadline import Deadline
from sequela.engines import fork_client, places
from sequela.engines import pool as pool_module
from sequela.engines.exits import EngineLost, EngineTaskFailed, ExitReason
from sequela.engines.frames import FrameTooLong
from sequela.errors import Cancelled, InvalidInput, OutOfTime, Unavailable
from waiting import eventually

LAZY = replace(SANDBOXED, sandboxed=False, memory_bytes=0)


def test_tasks_and_questions_are_bytes() -> None:
    """Empty ones, long ones, and any bytes at all."""
    with running() as pool:
        assert pool.call(b"echo ", Deadline(), upper) == b""
        long = b"echo " + bytes(range(1, 127)) * 100_000
        assert pool.call(long, Deadline(60), upper) == long[5:]
        assert call(pool, "question a bc") == "A|BC"
        assert pool.call(b"question x", Deadline(), lambda _: b"\x00" * 3_000_000) == b"\x00" * 3_000_000


def test_the_pool_says_when_engines_are_ready() -> None:
    """Each of them says what it wants, before its first task."""
    said: list[bytes] = []
    listener = Listener()
    with running(size=3, listener=listener, config=b"c", on_ready=said.append) as pool:
        listener.wait(lambda: listener.started == 3)
        assert said == [b"ready:c"] * 3
        assert pool.up == 3
    assert pool.up == 0
    assert [each.reason for each in listener.exits] == [ExitReason.CLOSED] * 3


def test_a_lazy_pool_starts_nothing_by_itself() -> None:
    """It can take tasks all the same."""
    listener = Listener()
    with running(limits=LAZY, listener=listener) as pool:
        assert (pool.up, listener.started) == (2, 0)
        assert call(pool, "echo x") == "x"
        assert (pool.up, listener.started) == (2, 1)


def test_an_answer_that_fails_is_the_callers_error() -> None:
    """The engine is told, ends the task, and goes on."""

    def answer(_question: bytes) -> bytes:
        raise Unavailable("STORE_DOWN", "no store")

    with running(size=1) as pool:
        before = call(pool, "pid")
        with pytest.raises(Unavailable, match="no store"):
            pool.call(b"question x", Deadline(60), answer)
        assert call(pool, "pid") == before


def test_questions_have_a_budget() -> None:
    """Of their number, and of their bytes."""
    for limits in (replace(TRUSTED, max_questions=3), replace(TRUSTED, max_question_bytes=3)):
        with running(size=1, limits=limits) as pool:
            assert call(pool, "question a b c") == "A|B|C"
            with pytest.raises(EngineLost, match="questions") as lost:
                call(pool, "question a b c d")
            assert lost.value.reason == "ENGINE_ANSWER_INVALID"


def test_frames_have_a_limit_on_both_sides() -> None:
    """A task or an answer that is too long is refused before it is sent; an engine cannot send a longer result."""
    with running(size=1, limits=replace(TRUSTED, max_frame_bytes=2000)) as pool:
        before = call(pool, "pid")
        with pytest.raises(InvalidInput, match="at most 2,000"):
            call(pool, "echo " + "x" * 3000)
        with pytest.raises(FrameTooLong, match="at most 2,000"):
            pool.call(b"question x", Deadline(60), lambda _: b"x" * 3000)
        with pytest.raises(EngineTaskFailed, match="at most 2,000"):
            call(pool, "much")
        assert call(pool, "pid") == before


def test_exceptions_of_the_engine_reach_the_caller_as_text() -> None:
    """Bounded, and with the last lines of the traceback."""
    with running(size=1) as pool, pytest.raises(EngineTaskFailed, match=r"x{1000}\n$") as failed:
        call(pool, "fail " + "x" * 100_000)
    assert len(str(failed.value)) <= 4000


def test_an_engine_that_was_killed_is_replaced() -> None:
    """At once; nobody's model is to blame."""
    listener = Listener()
    with running(size=1, listener=listener) as pool:
        pid = int(call(pool, "pid"))
        os.kill(pid, signal.SIGKILL)
        listener.wait(lambda: bool(listener.exits))
        assert call(pool, "echo again") == "again"
        assert listener.exits[0].reason is ExitReason.KILLED
        assert not listener.exits[0].busy
        with pytest.raises(EngineLost, match="SIGSEGV") as lost:
            call(pool, "die 11")
        assert lost.value.exit.busy
        assert lost.value.exit.log.startswith("Fatal Python error: Segmentation fault")
        assert call(pool, "echo again") == "again"


def test_the_forkserver_is_replaced_too() -> None:
    """Its engines end with it, and new ones come from a new one."""
    listener = Listener()
    with running(size=2, listener=listener) as pool:
        listener.wait(lambda: listener.started == 2)
        engine = int(call(pool, "pid"))
        process = fork_client.TRUSTED._process
        assert process is not None
        os.kill(process._process.pid, signal.SIGKILL)
        listener.wait(lambda: len(listener.exits) >= 2)
        assert call(pool, "echo again") == "again"
        listener.wait(lambda: listener.started >= 4)
        eventually(lambda: not alive(engine))


def test_engines_that_cannot_start_are_tried_again_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Callers hear of it soon, with the reason in the listener's hands."""
    monkeypatch.setattr(pool_module, "DOWN_SECONDS", 0.3)
    listener = Listener()
    with running("no_such_engine", 1, listener=listener) as pool:
        with pytest.raises(Unavailable, match="no process that runs models is up"):
            call(pool, "echo x")
        assert pool.up == 0
        listener.wait(lambda: len(listener.exits) >= 3)
        assert len(listener.exits) <= 12
        assert "No module named" in listener.exits[0].detail
    with running("failing_engine", 1, limits=LAZY) as pool:
        with pytest.raises(EngineLost, match="ValueError: no models"):
            call(pool, "echo x")
        with pytest.raises(EngineLost, match="ValueError: no models"):
            call(pool, "echo x")


def test_an_engine_must_be_ready_in_time() -> None:
    """Otherwise it is ended; the caller does not wait longer than it wants to, either."""
    late = pytest.raises(EngineLost, match="was not ready in time")
    with running("late_engine", 1, limits=replace(LAZY, start_seconds=0.1)) as pool, late:
        call(pool, "echo x")
    with running("late_engine", 1, limits=LAZY) as pool, pytest.raises(OutOfTime):
        call(pool, "echo x", seconds=0.1)


def test_callers_wait_for_a_free_engine() -> None:
    """Until their own deadline, or until they are cancelled."""
    with running(size=1) as pool:
        call(pool, "echo x")
        deadline = Deadline()
        busy = threading.Thread(target=pool.call, args=(b"obey", deadline, upper))
        busy.start()
        eventually(lambda: at_work(pool) == 1)
        with pytest.raises(OutOfTime, match="before a process"):
            call(pool, "echo x", 0.1)
        with pytest.raises(Cancelled):
            pool.call(b"echo x", change_at_work(pool, Deadline.cancel), upper)
        deadline.cancel()
        assert call(pool, "echo x") == "x"
        busy.join()


def test_each_affinity_has_engines_of_its_own() -> None:
    """When all places are taken, the one that was not used for the longest time makes room."""
    listener = Listener()
    with running(limits=LAZY, listener=listener) as pool:
        first, second = call(pool, "pid", affinity="a"), call(pool, "pid", affinity="b")
        assert first != second
        assert [call(pool, "pid", affinity=each) for each in "ba"] == [second, first]
        third = call(pool, "pid", affinity="c")
        assert third not in (first, second)
        listener.wait(lambda: bool(listener.exits))
        assert [(each.affinity, each.reason) for each in listener.exits] == [("b", ExitReason.RETIRED)]
        assert call(pool, "pid", affinity="a") == first
        pool.retire("a")
        assert call(pool, "pid", affinity="a") != first


def test_affinities_do_not_push_each_other_out_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two in turn, with one place, and two callers each: they wait a little for an engine of their own."""
    monkeypatch.setattr(places, "PATIENCE_SECONDS", 60.0)
    listener = Listener()
    with running(size=1, limits=LAZY, listener=listener) as pool:

        def ask(affinity: str) -> None:
            for _ in range(50):
                call(pool, "echo x", affinity=affinity)

        threads = [threading.Thread(target=ask, args=(each,)) for each in "aabb"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert listener.started <= 8


def test_closing_ends_everything() -> None:
    """Calls that run and calls that wait get an error, and no process stays."""
    problems: list[str] = []

    def ask(task: str) -> None:
        try:
            call(pool, task)
        except Unavailable as error:
            problems.append(error.reason)

    with running(size=1) as pool:
        pid = int(call(pool, "pid"))
        threads = [threading.Thread(target=ask, args=("hang",)) for _ in range(3)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(pool._places._waiters) == 2 and at_work(pool) == 1)
        pool.close()
        for thread in threads:
            thread.join(60)
        eventually(lambda: not alive(pid))
    assert sorted(problems) == ["ENGINE_KILLED", "SHUTTING_DOWN", "SHUTTING_DOWN"]
    with pytest.raises(Unavailable):
        call(pool, "echo x")


def test_engines_know_nothing_of_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its environment, nor its open files."""
    monkeypatch.setenv("SEQUELA_REDIS_URL", "redis://:secret@host")
    fork_client.TRUSTED.close()
    with open(__file__) as _, running(size=1, limits=LAZY) as pool:
        assert not [name for name in call(pool, "environment").split() if "SEQUELA" in name]
        files = call(pool, "files").splitlines()
        # Standard input and outputs, the two sockets, and the log of this engine alone.
        assert len(files) == 6
        assert [each.split(":")[0] for each in files[3:]] == ["socket", "socket", "/memfd"]


def test_a_caller_that_is_interrupted_does_not_leave_an_engine_at_work() -> None:
    """It is ended, and the next caller does not get the answer of the last one."""
    listener = Listener()

    def answer(_question: bytes) -> bytes:
        raise KeyboardInterrupt

    with running(size=1, listener=listener) as pool:
        with pytest.raises(KeyboardInterrupt):
            pool.call(b"question x", Deadline(60), answer)
        assert call(pool, "echo next") == "next"
    assert listener.exits[0].reason is ExitReason.KILLED


@pytest.mark.slow
def test_a_late_fork_is_not_kept() -> None:
    """The forkserver still imports when the caller gives up; the engine that comes later ends by itself."""
    fork_client.TRUSTED.close()
    listener = Listener()
    with running("slow_import_engine", 1, limits=LAZY, listener=listener) as pool:
        with pytest.raises(OutOfTime):
            call(pool, "echo x", 0.2)
        assert call(pool, "echo x") == "x"
        process = fork_client.TRUSTED._process
        assert process is not None
        own, parent = int(call(pool, "pid")), process._process.pid
        eventually(lambda: children(parent) == [own])


def test_imports_can_be_paid_for_before() -> None:
    """A lazy pool then starts its first engine as fast as the others."""
    fork_client.TRUSTED.close()
    with running(size=1, limits=LAZY) as pool:
        pool.prepare()
        assert fork_client.TRUSTED._process is not None
        assert call(pool, "echo x") == "x"
    with running("no_such_engine", 1, limits=LAZY) as pool:
        pool.prepare()
        with pytest.raises(EngineLost, match="No module named"):
            call(pool, "echo x")


def test_engines_are_bound_to_cores() -> None:
    """In turn."""
    core = min(os.sched_getaffinity(0))
    with running(size=1, cores=[core]) as pool:
        assert call(pool, "cores") == f"[{core}]"
