"""What an engine cannot do, whatever runs in it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from engines import attacks
from engines.pools_of_engines import SANDBOXED, Listener, call, running, upper
from sequela.concurrency.deadline import Deadline
from sequela.engines.exits import EngineLost, EngineTaskFailed, ExitReason
from sequela.engines.pool import EnginePool
from sequela.engines.sandbox import sandbox_report
from sweeps import few_of
from waiting import eventually

LIMIT_SECONDS = 0.5
SLACK_SECONDS = 10.0  # a second, and more on a machine that is busy with other tests
LIMITS = replace(SANDBOXED, grace_seconds=0.2, max_questions=1000)


@pytest.fixture(scope="module")
def pool() -> Iterator[EnginePool]:
    with running("attacks", 2, LIMITS) as started:
        yield started


def test_this_machine_has_both_measures() -> None:
    """Otherwise the tests of this module would prove less than they say."""
    report = sandbox_report()
    assert report.complete
    assert report.contained
    assert str(report) == f"Landlock ABI {report.landlock_abi}, seccomp"


@pytest.mark.parametrize("attack", attacks.REACHES)
def test_nothing_outside_can_be_reached(pool: EnginePool, attack: str) -> None:
    """The engine gets a refusal, and goes on."""
    assert call(pool, f"{attack} {os.getpid()}") == "PermissionError"
    assert call(pool, "echo still here") == "still here"


FILES = ["read_a_file", "read_the_front", "make_a_file", "make_a_folder", "list_a_folder", "remove_a_file"]
NETWORK = ["connect_tcp", "listen"]


@pytest.mark.parametrize("missing", ["no landlock", "no seccomp"])
def test_each_measure_alone_denies_files_and_tcp(missing: str) -> None:
    """Old kernels lack Landlock, and some containers forbid filters."""
    with running("attacks", 1, SANDBOXED, config=missing.encode()) as pool:
        for attack in [*FILES, *NETWORK, "kill_the_front"]:
            assert call(pool, f"{attack} {os.getpid()}") == "PermissionError", attack


def test_without_both_no_engine_starts() -> None:
    """Unless the operator insists."""
    listener = Listener()
    with running("attacks", 1, SANDBOXED, listener, b"no landlock, no seccomp") as pool:
        with pytest.raises(EngineLost, match="neither Landlock nor seccomp"):
            call(pool, "echo x")
        listener.wait(lambda: bool(listener.exits))
        assert [each.reason for each in listener.exits] == [ExitReason.START_FAILED]
    unsafe = replace(SANDBOXED, unsafe=True)
    with running("attacks", 1, unsafe, config=b"no landlock, no seccomp") as pool:
        assert call(pool, "echo x") == "x"


def test_without_both_the_attacks_succeed() -> None:
    """So that the tests above show what the measures do, and not what the machine forbids anyway."""
    unsafe = replace(SANDBOXED, unsafe=True)
    with running("attacks", 1, unsafe, config=b"no landlock, no seccomp") as pool:
        for attack in SUCCEED:
            assert call(pool, f"{attack} {os.getpid()}").startswith("got"), attack


SUCCEED = (
    "read_a_file", "read_itself", "list_a_folder", "connect_udp", "open_netlink", "listen",
    "pair_of_sockets", "probe_the_front", "hold_the_front", "signal_by_file", "signal_by_control",
    "choose_the_signal", "run_a_program_from_memory", "shared_memory",
)  # fmt: skip


def test_named_folders_stay_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`readable` for reading only, `writable` for both, and nothing beside them."""
    readable, writable, other = (tmp_path_factory.mktemp(name) for name in ("r", "w", "o"))
    for folder in (readable, writable, other):
        (folder / "file").write_text("text")
    limits = replace(SANDBOXED, readable=(readable,), writable=(writable,))
    with running("folders_engine", 1, limits) as pool:
        assert call(pool, f"read {readable}/file") == "text"
        assert call(pool, f"write {readable}/file") == "PermissionError"
        assert call(pool, f"write {writable}/new") == "4"
        assert call(pool, f"read {writable}/new") == "text"
        assert call(pool, f"read {other}/file") == "PermissionError"
        assert call(pool, f"write {other}/new") == "PermissionError"


E_CRASHED, E_KILLED, E_MEMORY, E_INVALID = (
    "ENGINE_CRASHED",
    "ENGINE_KILLED",
    "ENGINE_OUT_OF_MEMORY",
    "ENGINE_ANSWER_INVALID",
)
OUTCOMES = {
    "burn": (E_KILLED, ExitReason.OVERRAN),
    "burn_in_threads": (E_KILLED, ExitReason.OVERRAN),
    "hang": (E_KILLED, ExitReason.OVERRAN),
    "allocate": (E_MEMORY, ExitReason.OUT_OF_MEMORY),
    "allocate_pieces": (E_MEMORY, ExitReason.OUT_OF_MEMORY),
    "share_memory": (E_MEMORY, ExitReason.OUT_OF_MEMORY),
    "grow_memory": (E_MEMORY, ExitReason.OUT_OF_MEMORY),
    "close_socket": (E_CRASHED, ExitReason.CRASHED),
    "close_all": (E_CRASHED, ExitReason.CRASHED),
    "send_garbage": (E_INVALID, ExitReason.INVALID),
    "send_zeros": (E_INVALID, ExitReason.INVALID),
    "announce_4_gb": (E_INVALID, ExitReason.INVALID),
    "announce_and_stop": (E_KILLED, ExitReason.OVERRAN),
    "answer_another_task": (E_INVALID, ExitReason.INVALID),
    "send_ready_again": (E_INVALID, ExitReason.INVALID),
    "send_a_config": (E_INVALID, ExitReason.INVALID),
    "send_a_pickle": (E_INVALID, ExitReason.INVALID),
    "ask_for_ever": (E_INVALID, ExitReason.INVALID),
    "abort": (E_CRASHED, ExitReason.CRASHED),
    "crash": (E_CRASHED, ExitReason.CRASHED),
    "overflow_stack": (E_CRASHED, ExitReason.CRASHED),
    "divide": (E_CRASHED, ExitReason.CRASHED),
    "stop": (E_KILLED, ExitReason.OVERRAN),
    "terminate": (E_CRASHED, ExitReason.CRASHED),
    "exit": (E_CRASHED, ExitReason.CRASHED),
    "exit_by_exception": (E_CRASHED, ExitReason.CRASHED),
}


ONE_OF_A_KIND = (
    "burn", "stop", "announce_and_stop", "allocate", "share_memory", "close_all", "send_garbage", "announce_4_gb",
    "answer_another_task", "send_a_pickle", "ask_for_ever", "crash", "overflow_stack", "exit",
)  # fmt: skip
"""Each of these is noticed in another way: by its time, by what its process ends with, or by what it sends."""


@pytest.mark.parametrize("attack", few_of(OUTCOMES, *ONE_OF_A_KIND))
def test_whatever_it_does_its_caller_gets_a_named_error_in_time(pool: EnginePool, attack: str) -> None:
    """Within its limit, the grace period and a second, and the others are not affected."""
    reason, ending = OUTCOMES[attack]
    seconds = LIMIT_SECONDS if ending is ExitReason.OVERRAN else 60.0
    call(pool, "echo hi", affinity="attacker")
    start = time.monotonic()
    with pytest.raises(EngineLost) as lost:
        call(pool, attack, seconds, "attacker")
    assert time.monotonic() - start < seconds + LIMITS.grace_seconds + SLACK_SECONDS
    assert (lost.value.reason, lost.value.exit.reason) == (reason, ending)
    assert lost.value.exit.affinity == "attacker"
    assert call(pool, "echo hi") == "hi"
    assert call(pool, "echo hi", affinity="attacker") == "hi"


def test_the_last_words_of_a_crash_are_known(pool: EnginePool) -> None:
    """The signal, and where it happened: for the operator's log."""
    with pytest.raises(EngineLost) as lost:
        call(pool, "crash")
    assert lost.value.exit.log.startswith("Fatal Python error: Segmentation fault")
    assert "attacks.py" in lost.value.exit.log


def test_an_unexpected_exception_does_not_end_it(pool: EnginePool) -> None:
    """The front can log the traceback."""
    with pytest.raises(EngineTaskFailed, match="KeyError: 'x'"):
        call(pool, "fail")
    assert call(pool, "echo hi") == "hi"


@pytest.mark.slow
def test_processor_time_is_bounded_for_each_task_alone() -> None:
    """Two tasks of one engine may use the limit each; one that uses more ends its engine."""
    listener = Listener()
    with running("toy_engine", 1, replace(SANDBOXED, cpu_seconds_per_task=1.0), listener) as pool:
        for _ in range(4):
            assert call(pool, "spin 0.6") == "spun"
        assert listener.started == 1
        with pytest.raises(EngineLost, match="processor time") as lost:
            call(pool, "spin 60")
        assert (lost.value.reason, lost.value.exit.reason) == (E_KILLED, ExitReason.CPU_LIMIT)


@pytest.mark.slow
def test_processor_time_between_tasks_is_bounded() -> None:
    """An engine that was taken over answers, and computes for itself afterwards: it ends, though no task comes."""
    listener = Listener()
    with running("toy_engine", 1, replace(SANDBOXED, cpu_seconds_per_task=600.0), listener) as pool:
        assert call(pool, "burn_on") == "done"
        eventually(lambda: [each.reason for each in listener.exits] == [ExitReason.CPU_LIMIT])
        assert call(pool, "echo x") == "x"


def test_others_go_on_while_engines_die() -> None:
    """Attacks in one engine, and not one lost call in the other."""
    with running("attacks", 2, SANDBOXED) as pool:
        over = threading.Event()
        answers: list[str] = []

        def ask_on() -> None:
            while not over.is_set():
                answers.append(call(pool, f"echo {len(answers)}", affinity="honest"))

        honest = threading.Thread(target=ask_on)
        honest.start()
        for attack in ["abort", "crash", "send_garbage", "allocate", "exit"]:
            with pytest.raises(EngineLost):
                pool.call(attack.encode(), Deadline(60), upper, "attacker")
            so_far = len(answers)
            eventually(lambda so_far=so_far: len(answers) > so_far + 1)  # type: ignore[misc]
        over.set()
        honest.join()
    assert answers == [str(number) for number in range(len(answers))]
    assert len(answers) >= 10
