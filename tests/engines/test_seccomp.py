"""The filter of system calls, run by an interpreter of its own: for the machines that the tests do not run on, too."""

from __future__ import annotations

import errno
import platform
from collections.abc import Sequence

import pytest
from sequela.engines import seccomp, syscall_numbers
from sequela.engines.seccomp import ALLOW, KILL_PROCESS

PID = 4711
# Calls that engines need, on x86-64 and on 64-bit Arm.
NEEDED = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "futex": (202, 98), "munmap": (11, 215), "brk": (12, 214),
    "mprotect": (10, 226), "sendto": (44, 206), "recvfrom": (45, 207), "exit_group": (231, 94), "poll": (7, 73),
    "getrandom": (318, 278), "rt_sigaction": (13, 134), "sched_yield": (24, 124), "madvise": (28, 233),
    "clock_nanosleep": (230, 115), "set_robust_list": (273, 99), "rseq": (334, 293), "getpid": (39, 172),
}  # fmt: skip


def decide(
    number: int, arguments: Sequence[int] = (), architecture: int | None = None, files: bool = True
) -> int:
    """What the kernel does with a call, by the rules of classic BPF."""
    words = {0: number, 4: architecture or syscall_numbers.ARCHITECTURES[platform.machine()]}
    for position, value in enumerate([*arguments, *[0] * (6 - len(arguments))]):
        words[16 + 8 * position] = value & 0xFFFFFFFF
        words[20 + 8 * position] = value >> 32 & 0xFFFFFFFF
    program, at, word = list(seccomp._program(PID, files)), 0, 0
    while True:
        code, yes, no, value = program[at]
        at += 1
        if code == seccomp.LOAD:
            word = words[value]
        elif code == seccomp.AND:
            word &= value
        elif code == seccomp.RETURN:
            return value
        else:
            test = {
                seccomp.EQUAL: word == value,
                seccomp.AT_LEAST: word >= value,
                seccomp.ANY_BIT: bool(word & value),
            }[code]
            at += yes if test else no


def fails(number: int) -> int:
    return 0x00050000 | number


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    monkeypatch.setattr(platform, "machine", lambda: name)
    return name


def number_of(name: str) -> int:
    return syscall_numbers.number_of(name)


def test_what_engines_need_is_allowed(machine: str) -> None:
    """Otherwise nothing would run."""
    for name, numbers in NEEDED.items():
        assert decide(numbers[machine == "aarch64"]) == ALLOW, name


def test_what_engines_never_need_is_refused(machine: str) -> None:
    """Each by its number, if the machine has the call."""
    there = [number_of(name) for name in syscall_numbers.REFUSED if number_of(name) >= 0]
    assert len(there) > 90
    assert {decide(number) for number in there} == {fails(errno.EPERM)}


def test_files_are_left_to_landlock_if_some_are_open(machine: str) -> None:
    """The filter cannot tell one path from another."""
    opening = [number_of(name) for name in syscall_numbers.OPENING if number_of(name) >= 0]
    assert {decide(number) for number in opening} == {fails(errno.EPERM)}
    assert {decide(number, files=False) for number in opening} == {ALLOW}


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("clone", [0x3D0F00], ALLOW),  # a thread, as the C library makes it
        ("clone", [17], fails(errno.EPERM)),  # a process
        ("clone3", [], fails(errno.ENOSYS)),
        ("kill", [PID, 6], ALLOW),
        ("kill", [PID + 1, 6], fails(errno.EPERM)),
        ("kill", [0xFFFFFFFF, 9], fails(errno.EPERM)),
        ("tgkill", [PID, PID, 6], ALLOW),
        ("tgkill", [1, 1, 6], fails(errno.EPERM)),
        ("mmap", [0, 4096, 3, 0x22], ALLOW),  # private
        ("mmap", [0, 4096, 3, 0x21], fails(errno.ENOMEM)),  # shared, of no file
        ("mmap", [0, 4096, 3, 0x01], ALLOW),  # shared, of a file
        ("mmap", [0, 4096, 3, 0x23], fails(errno.ENOMEM)),
        ("mmap", [0, 4096, 3, 0x122], fails(errno.ENOMEM)),  # grows like a stack
        ("mmap", [0, 4096, 3, 0x20022], ALLOW),  # the stack of a thread
        ("prctl", [15], ALLOW),  # a thread's name
        ("prctl", [1, 0], fails(errno.EPERM)),
        ("prlimit64", [0, 7, 0, 1], ALLOW),  # reads
        ("prlimit64", [0, 7, 1 << 32, 0], fails(errno.EPERM)),
        ("prlimit64", [0, 7, 1, 0], fails(errno.EPERM)),
        ("fcntl", [3, 3], ALLOW),
        ("fcntl", [3, 8, 1], fails(errno.EPERM)),
        ("fcntl", [3, 15, 1], fails(errno.EPERM)),
        ("ioctl", [3, 0x5401], ALLOW),
        ("ioctl", [3, 0x8901], fails(errno.EPERM)),
    ],
)
def test_some_depend_on_their_arguments(machine: str, name: str, arguments: list[int], expected: int) -> None:
    """Halves of a pointer, bits of flags, numbers of processes."""
    assert decide(number_of(name), arguments) == expected


def test_calls_of_another_architecture_end_the_process(machine: str) -> None:
    """Their numbers mean other calls."""
    assert decide(0, architecture=0x40000003) == KILL_PROCESS


def test_other_numbers_for_the_same_calls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """x86-64 has two numbers for each call."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert decide(0x40000000) == fails(errno.EPERM)


def test_every_jump_stays_in_the_program(machine: str) -> None:
    """Jumps are relative, and the last instruction returns."""
    program = list(seccomp._program(PID, files=True))
    assert program[-1][0] == seccomp.RETURN
    assert len(program) < 4096
    for at, (code, yes, no, _) in enumerate(program):
        if code in (seccomp.EQUAL, seccomp.AT_LEAST, seccomp.ANY_BIT):
            assert at + 1 + max(yes, no) < len(program)
            assert max(yes, no) < 256


def test_unknown_machines_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is refused by numbers that may mean something else."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not seccomp.supported()
    assert not seccomp.refuse_calls(files=True)
