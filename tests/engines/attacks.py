"""An engine that was taken over: what it tries, and what its caller then gets.

A task names an attack. Those of `REACHES` try to reach something outside, and return what they got; the others try to
harm the engine itself or the front.
"""

from __future__ import annotations

import ctypes
import faulthandler
import fcntl
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sequela.concurrency.deadline import Deadline
from sequela.engines import landlock, seccomp, syscall_numbers
from sequela.engines.channel import Ask, Channel
from sequela.engines.libc import syscall
from sequela.engines.process import CONTROL, DATA

NEW_FILE = os.path.join(tempfile.gettempdir(), f"engine-{os.getpid()}")


def serve(config: bytes, channel: Channel) -> None:
    """With the measures that the configuration leaves."""
    if b"no landlock" in config:
        landlock.landlock_abi = lambda: 0
    if b"no seccomp" in config:
        seccomp.supported = lambda: False
    channel.serve(str(os.getpid()).encode(), handle)


def handle(task: bytes, ask: Ask, deadline: Deadline) -> bytes:
    name, _, argument = task.decode().partition(" ")
    if name == "echo":
        return argument.encode()
    if name in REACHES:
        return _tried(REACHES[name], argument)
    HARMS[name](ask)
    return b"unharmed"


def _tried(reach: Callable[[str], object], argument: str) -> bytes:
    try:
        return f"got {reach(argument)!r}".encode()
    except OSError as error:
        return type(error).__name__.encode()


def _call(name: str, *arguments: int) -> Callable[[str], object]:
    return lambda _front: syscall(syscall_numbers.number_of(name), *arguments)


def _read(path: str) -> object:
    return Path(path).read_bytes()[:10]


def _connect(kind: int, family: int, address: object) -> object:
    with socket.socket(family, kind) as sock:
        return sock.connect(address)  # type: ignore[func-returns-value]


def _listen(_front: str) -> object:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.listen()


def _read_memory(front: str) -> object:
    target = (ctypes.c_ulong * 2)(id(front), 8)
    return syscall(
        syscall_numbers.number_of("process_vm_readv"),
        int(front), ctypes.addressof(target), 1, ctypes.addressof(target), 1, 0,
    )  # fmt: skip


def _signal_by_file(front: str) -> object:
    """Owners of a file get a signal of its choice when something arrives."""
    return fcntl.fcntl(DATA, fcntl.F_SETOWN, int(front))


def _lift_its_limits(_front: str) -> object:
    limits = (ctypes.c_ulong * 2)(1 << 40, 1 << 40)
    number = syscall_numbers.number_of("prlimit64")
    return syscall(number, 0, resource.RLIMIT_DATA, ctypes.addressof(limits), 0)


# What is tried, and an error that is not a refusal would show as a wrong answer. The argument is the front's number.
REACHES: dict[str, Callable[[str], object]] = {
    "read_a_file": lambda _: _read("/etc/passwd"),
    "read_the_code": lambda _: _read(__file__),
    "read_itself": lambda _: _read("/proc/self/status"),
    "read_the_front": lambda front: _read(f"/proc/{front}/environ"),
    "write_the_front": lambda front: os.open(f"/proc/{front}/mem", os.O_RDWR),
    "make_a_file": lambda _: Path(NEW_FILE).write_text("x"),
    "make_a_folder": lambda _: os.mkdir(NEW_FILE),
    "list_a_folder": lambda _: os.listdir("/"),
    "remove_a_file": lambda _: os.unlink(__file__),
    "rename_a_file": lambda _: os.rename(__file__, __file__ + "x"),
    "link_a_file": lambda _: os.link(__file__, NEW_FILE),
    "truncate_a_file": lambda _: os.truncate(__file__, 0),
    "change_a_mode": lambda _: os.chmod(__file__, 0o777),
    "write_its_score": lambda _: Path("/proc/self/oom_score_adj").write_text("-1000"),
    "connect_tcp": lambda _: _connect(socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", 1)),
    "connect_udp": lambda _: _connect(socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", 53)),
    "connect_unix": lambda _: _connect(socket.SOCK_STREAM, socket.AF_UNIX, "/run/docker.sock"),
    "connect_abstract": lambda _: _connect(socket.SOCK_STREAM, socket.AF_UNIX, "\0x"),
    "open_netlink": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
    "listen": _listen,
    "pair_of_sockets": lambda _: socket.socketpair()[0].close(),
    "pass_a_file": lambda _: socket.send_fds(socket.socket(fileno=os.dup(CONTROL)), [b"x"], [0]),
    "kill_the_front": lambda front: os.kill(int(front), signal.SIGKILL),
    "probe_the_front": lambda front: os.kill(int(front), 0),
    "kill_everybody": lambda _: os.kill(-1, signal.SIGKILL),
    "kill_the_group": lambda _: os.kill(0, signal.SIGKILL),
    "kill_the_parent": lambda _: os.kill(os.getppid(), signal.SIGKILL),
    "kill_a_thread": lambda front: syscall(syscall_numbers.number_of("tkill"), int(front), 9),
    "hold_the_front": lambda front: os.pidfd_open(int(front)),
    "queue_a_signal": lambda front: syscall(syscall_numbers.number_of("rt_sigqueueinfo"), int(front), 9, 0),
    "signal_by_file": _signal_by_file,
    "signal_by_control": lambda front: fcntl.ioctl(DATA, 0x8901, struct.pack("i", int(front))),
    "choose_the_signal": lambda _: fcntl.fcntl(DATA, fcntl.F_SETSIG, signal.SIGKILL),
    "read_a_link": lambda front: os.readlink(f"/proc/{front}/cwd"),
    "read_the_kernels_log": _call("syslog", 3, 0, 0),
    "trace_the_front": lambda front: syscall(syscall_numbers.number_of("ptrace"), 16, int(front), 0, 0),
    "read_memory": _read_memory,
    "run_a_program": lambda _: os.execv("/bin/true", ["true"]),
    "run_a_program_from_memory": lambda _: os.memfd_create("x"),
    "fork": lambda _: os.fork(),
    "vfork": lambda _: (
        syscall(58) if sys.platform == "linux" and os.uname().machine == "x86_64" else os.fork()
    ),
    "clone_a_process": _call("clone", signal.SIGCHLD, 0, 0, 0, 0),
    "limit_the_front": lambda front: resource.prlimit(int(front), resource.RLIMIT_CPU, (1, 1)),
    "lift_its_limits": _lift_its_limits,
    "outlive_the_front": _call("prctl", 1, 0, 0, 0, 0),
    "unshare": _call("unshare", 0x10000000),
    "mount": _call("mount", 0, 0, 0, 0, 0),
    "bpf": _call("bpf", 0, 0, 0),
    "keys": _call("keyctl", 0, 0, 0),
    "io_uring": _call("io_uring_setup", 1, 0),
    "userfaultfd": _call("userfaultfd", 0),
    "perf": _call("perf_event_open", 0, 0, -1, -1, 0),
    "shared_memory": _call("shmget", 0, 1 << 20, 0o1600),
    "more_priority": lambda front: os.setpriority(os.PRIO_PROCESS, int(front), 19),
    "other_numbers": lambda _: syscall(0x40000000 | 2, 0, 0) if os.uname().machine == "x86_64" else os.fork(),
}


def _burn(_ask: Ask) -> None:
    while True:
        pass


def _burn_in_threads(_ask: Ask) -> None:
    for _ in range(3):
        threading.Thread(target=lambda: np.linalg.svd(np.ones((5000, 5000)))).start()
    _burn(_ask)


def _hang(_ask: Ask) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True:
        time.sleep(1)


def _allocate(_ask: Ask) -> None:
    np.ones(10 << 27)


def _allocate_pieces(_ask: Ask) -> None:
    hoard = []
    while True:
        hoard.append(b"x" * (1 << 20))


def _share_memory(_ask: Ask) -> None:
    try:
        mmap.mmap(-1, 10 << 30)
    except OSError:
        raise MemoryError from None


def _grow_memory(_ask: Ask) -> None:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    try:
        syscall(syscall_numbers.number_of("mmap"), 0, 10 << 30, 3, flags | 0x100, -1, 0)
    except OSError:
        raise MemoryError from None


def _close_socket(_ask: Ask) -> None:
    os.close(DATA)
    time.sleep(60)


def _send(raw: bytes) -> Callable[[Ask], None]:
    def send(_ask: Ask) -> None:
        os.write(DATA, raw)
        time.sleep(60)

    return send


def _ask_for_ever(ask: Ask) -> None:
    while True:
        ask(b"?")


def _overflow_stack(_ask: Ask) -> None:
    faulthandler.disable()
    faulthandler._stack_overflow()


def _die(number: int) -> Callable[[Ask], None]:
    return lambda _: os.kill(os.getpid(), number)


HARMS: dict[str, Callable[[Ask], None]] = {
    "burn": _burn,
    "burn_in_threads": _burn_in_threads,
    "hang": _hang,
    "allocate": _allocate,
    "allocate_pieces": _allocate_pieces,
    "share_memory": _share_memory,
    "grow_memory": _grow_memory,
    "close_socket": _close_socket,
    "close_all": lambda _: (os.closerange(0, 64), time.sleep(60)),  # type: ignore[dict-item, func-returns-value]
    "send_garbage": _send(b"GET / HTTP/1.1\r\n\r\n" * 10),
    "send_zeros": _send(bytes(1000)),
    "announce_4_gb": _send(struct.pack("!IB", 0xFFFFFFFF, 7)),
    "announce_and_stop": _send(struct.pack("!IBQ", 1000, 7, 1)),
    "answer_another_task": _send(struct.pack("!IBQ", 8, 7, 999)),
    "send_ready_again": _send(struct.pack("!IBQ", 8, 5, 1)),
    "send_a_config": _send(struct.pack("!IB", 0, 1)),
    "send_a_pickle": _send(pickle.dumps(threading.Thread)),
    "ask_for_ever": _ask_for_ever,
    "abort": lambda _: os.abort(),
    "crash": lambda _: ctypes.string_at(0),  # type: ignore[dict-item, return-value]
    "overflow_stack": _overflow_stack,
    "divide": _die(signal.SIGFPE),
    "stop": _die(signal.SIGSTOP),
    "terminate": _die(signal.SIGTERM),
    "exit": lambda _: os._exit(0),
    "exit_by_exception": lambda _: sys.exit(0),
    "fail": lambda _: {}["x"],
}
