"""Landlock: the kernel denies this process every file and every TCP connection, except those that are named.

It needs no privilege. What can be denied grows with the version of the kernel's interface (its ABI).
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from sequela.engines.libc import syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all architectures
ASK_FOR_VERSION = 1
PATH_BENEATH = 1
FILE_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # basic, link, truncate, devices
NETWORK_RIGHTS = 0b11  # bind and connect TCP; ABI 4
SCOPES = 0b11  # abstract Unix sockets and signals stay within the sandbox; ABI 6
READ_FILE, READ_FOLDER, WRITE_FILE, TRUNCATE = 1 << 2, 1 << 3, 1 << 1, 1 << 14
MAKE_AND_REMOVE = (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8)  # folders and regular files
OF_FILES = READ_FILE | WRITE_FILE | TRUNCATE
READ = READ_FILE | READ_FOLDER
WRITE = READ | WRITE_FILE | TRUNCATE | MAKE_AND_REMOVE


def landlock_abi() -> int:
    """Returns the version of the kernel's interface, or 0 if there is none."""
    try:
        return syscall(CREATE_RULESET, 0, 0, ASK_FOR_VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str]) -> int:
    """Denies this thread, and all that it starts, everything but these files and folders. `no_new_privs` must be set.

    Returns the ABI; 0 if the kernel has no Landlock, and nothing is denied.
    """
    abi = landlock_abi()
    if abi == 0:
        return 0
    rights = sum(right for since, right in FILE_RIGHTS_BY_ABI.items() if abi >= since)
    fields = [rights, NETWORK_RIGHTS, SCOPES][: 3 if abi >= 6 else 2 if abi >= 4 else 1]
    attributes = ctypes.create_string_buffer(struct.pack(f"={len(fields)}Q", *fields))
    try:
        ruleset = syscall(CREATE_RULESET, attributes, 8 * len(fields), 0)
    except OSError:  # a container may forbid what the kernel offers
        return 0
    try:
        for paths, allowed in ((readable, READ), (writable, WRITE)):
            for path in paths:
                _allow(ruleset, path, allowed & rights)
        return abi if _restrict_self(ruleset) else 0
    finally:
        os.close(ruleset)


def _restrict_self(ruleset: int) -> bool:
    try:
        syscall(RESTRICT_SELF, ruleset, 0)
    except OSError:
        return False
    return True


def _allow(ruleset: int, path: str, allowed: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = allowed if os.path.isdir(path) else allowed & OF_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, descriptor))
        syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
