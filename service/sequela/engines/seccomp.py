"""Seccomp: the kernel refuses system calls by which a process could reach others, files or the network.

It needs no privilege. It complements Landlock, which leaves UDP, Unix sockets and new programs alone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator

from sequela.engines import syscall_numbers
from sequela.engines.libc import PR_SET_PDEATHSIG, syscall

SET_MODE_FILTER = 1
ALL_THREADS = 1  # SECCOMP_FILTER_FLAG_TSYNC
ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF instructions on 32-bit words
AND = 0x54
NUMBER, ARCHITECTURE = 0, 4  # their offsets in the data that a filter sees
X32 = 0x40000000  # on x86-64, numbers from here on mean the same calls with other pointers
CLONE_THREAD = 0x10000
MAP_SHARED_ANONYMOUS = 0x21
MAP_GROWSDOWN = 0x100
F_SETOWN, F_SETSIG, F_SETOWN_EX = 8, 10, 15
FIOSETOWN, SIOCSPGRP = 0x8901, 0x8902

Instruction = tuple[int, int, int, int]


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known."""
    return platform.machine() in syscall_numbers.ARCHITECTURES


def refuse_calls(*, files: bool) -> bool:
    """Refuses the calls for all threads of this process, permanently. `no_new_privs` must be set.

    Args:
        files: Whether opening files is refused too.

    Returns:
        Whether the calls are refused. The kernel may have no filters, or the machine may be unknown.
    """
    if not supported():
        return False
    code = b"".join(struct.pack("=HBBI", *each) for each in _program(os.getpid(), files))
    instructions = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions))
    number = syscall_numbers.number_of("seccomp")
    try:
        syscall(number, SET_MODE_FILTER, ALL_THREADS, ctypes.create_string_buffer(program, len(program)))
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EACCES):
            return False
        raise
    return True


def _program(pid: int, files: bool) -> Iterator[Instruction]:
    architecture = syscall_numbers.ARCHITECTURES[platform.machine()]
    yield LOAD, 0, 0, ARCHITECTURE
    yield EQUAL, 1, 0, architecture
    yield RETURN, 0, 0, KILL_PROCESS
    yield LOAD, 0, 0, NUMBER
    if platform.machine() == "x86_64":
        yield AT_LEAST, 0, 1, X32
        yield _fail(errno.EPERM)
    refused = syscall_numbers.REFUSED + (syscall_numbers.OPENING if files else ())
    for name in refused:
        yield from _if_number(name, [_fail(errno.EPERM)])
    yield from _if_number("clone3", [_fail(errno.ENOSYS)])  # the C library then makes threads by clone
    yield from _if_number("clone", _unless_bits(0, CLONE_THREAD))
    # Memory that is shared, or grows like a stack, does not count for the limit.
    yield from _if_number("mmap", _if_uncounted(3))
    # These let the kernel send any signal to any process of the same user.
    yield from _if_number("fcntl", _if_one_of(1, F_SETOWN, F_SETSIG, F_SETOWN_EX))
    yield from _if_number("ioctl", _if_one_of(1, FIOSETOWN, SIOCSPGRP))
    yield from _if_number("prctl", _if_one_of(0, PR_SET_PDEATHSIG))
    for name in ("kill", "tgkill"):  # abort() sends a signal to its own process
        yield from _if_number(name, [*_load(0), (EQUAL, 1, 0, pid), _fail(errno.EPERM), _allow()])
    yield from _if_number("prlimit64", _read_only(2))
    yield _allow()


def _if_number(name: str, then: list[Instruction]) -> Iterator[Instruction]:
    """`then` must return. The number of the call is in the accumulator."""
    number = syscall_numbers.number_of(name)
    if number >= 0:
        yield EQUAL, 0, len(then), number
        yield from then


def _load(argument: int, high: int = 0) -> list[Instruction]:
    """Loads the low or the high half of an argument."""
    return [(LOAD, 0, 0, 16 + 8 * argument + 4 * high)]


def _unless_bits(argument: int, bits: int) -> list[Instruction]:
    return [*_load(argument), (ANY_BIT, 1, 0, bits), _fail(errno.EPERM), _allow()]


def _if_one_of(argument: int, *refused: int) -> list[Instruction]:
    tests = [each for value in refused for each in ((EQUAL, 0, 1, value), _fail(errno.EPERM))]
    return [*_load(argument), *tests, _allow()]


def _if_uncounted(argument: int) -> list[Instruction]:
    masked: Instruction = (AND, 0, 0, MAP_SHARED_ANONYMOUS)
    shared = [*_load(argument), masked, (EQUAL, 0, 1, MAP_SHARED_ANONYMOUS), _fail(errno.ENOMEM)]
    return [*shared, *_load(argument), (ANY_BIT, 0, 1, MAP_GROWSDOWN), _fail(errno.ENOMEM), _allow()]


def _read_only(pointer: int) -> list[Instruction]:
    """Limits may be read, which means that no new ones are passed."""
    both = [*_load(pointer), (EQUAL, 0, 2, 0), *_load(pointer, high=1), (EQUAL, 1, 0, 0)]
    return [*both, _fail(errno.EPERM), _allow()]


def _fail(number: int) -> Instruction:
    return RETURN, 0, 0, 0x00050000 | number


def _allow() -> Instruction:
    return RETURN, 0, 0, ALLOW
