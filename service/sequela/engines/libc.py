"""System calls that Python has no functions for."""

from __future__ import annotations

import ctypes
import os
import platform

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION = 0x20080522
CAPSET = {"x86_64": 126, "aarch64": 91}


def syscall(number: int, *arguments: int | ctypes.Array[ctypes.c_char]) -> int:
    """Makes a system call.

    Raises:
        OSError: The call failed.
    """
    passed = [a if isinstance(a, ctypes.Array) else ctypes.c_long(a) for a in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *passed))


def prctl(option: int, argument: int) -> int:
    """Changes an attribute of this process."""
    return _check(_libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0))


def drop_capabilities() -> None:
    """Gives up all privileges of root that this process has beyond its user's."""
    if number := CAPSET.get(platform.machine()):
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        _check(_libc.syscall(ctypes.c_long(number), header, (ctypes.c_uint32 * 6)()))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
