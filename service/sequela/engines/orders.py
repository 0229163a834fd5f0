"""The messages between the front and the forkserver: JSON in one packet each. Both are trusted."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sequela.engines.limits import EngineLimits

MAX_PACKET = 128 * 1024
MAX_FILES = 4


@dataclass(frozen=True, slots=True)
class ForkOrder:
    """Asks for one engine. The ends of its two sockets come with it.

    Attributes:
        entry: `package.module:function`.
        sandboxed: Whether the engine runs in the sandbox.
        memory_bytes: How much it may allocate after it was sealed; 0 for no limit.
        max_frame_bytes: The largest frame on its connection.
        readable: What it may read in the sandbox.
        writable: Where it may write in the sandbox.
        unsafe: Whether it runs even where the kernel cannot contain it.
        core: The core that it is bound to, or -1.
    """

    entry: str
    sandboxed: bool
    memory_bytes: int
    max_frame_bytes: int
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    unsafe: bool = False
    core: int = -1

    @classmethod
    def of(cls, entry: str, limits: EngineLimits, core: int) -> ForkOrder:
        """Returns the order for an engine with these limits."""
        return cls(
            entry,
            limits.sandboxed,
            limits.memory_bytes,
            limits.max_frame_bytes,
            _absolute(limits.readable),
            _absolute(limits.writable),
            limits.unsafe,
            core,
        )


@dataclass(frozen=True, slots=True)
class Import:
    """Asks to import the module of an entry, so that the first engine is there soon. There is no answer."""

    entry: str


@dataclass(frozen=True, slots=True)
class Forked:
    """The engine's process. Its pidfd is sent along, unless `error` says what went wrong."""

    pid: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """An engine's process ended with this status, as `os.waitpid` returns it."""

    pid: int
    status: int
    log: str


Packet = ForkOrder | Import | Forked | Ended
KINDS: dict[str, type[Packet]] = {kind.__name__: kind for kind in (ForkOrder, Import, Forked, Ended)}


def send(sock: socket.socket, packet: Packet, files: Sequence[int] = ()) -> None:
    """Sends a packet, with copies of open files."""
    body = json.dumps({"kind": type(packet).__name__, **asdict(packet)}).encode()
    socket.send_fds(sock, [body], list(files))


def receive(sock: socket.socket) -> tuple[Packet | None, list[int]]:
    """Waits for a packet, and returns it with the files that came along. None if the other side is gone."""
    body, files, _, _ = socket.recv_fds(sock, MAX_PACKET, MAX_FILES, socket.MSG_CMSG_CLOEXEC)
    if not body:
        return None, files
    fields = json.loads(body)
    return KINDS[fields.pop("kind")](**fields), files


def _absolute(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(str(path.absolute()) for path in paths)
