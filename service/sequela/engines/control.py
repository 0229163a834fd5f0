"""Changes of a task's deadline, which reach the engine on a socket of their own while it works."""

from __future__ import annotations

import math
import socket
import struct
from dataclasses import dataclass

from sequela.concurrency.deadline import Deadline

LAYOUT = struct.Struct("!Qddd??")


@dataclass(frozen=True, slots=True)
class DeadlineState:
    """A deadline as it was at one moment. The monotonic clock is the same in all processes of a machine.

    Attributes:
        task: The number of the task that it belongs to.
        start: When the deadline was made, in seconds of the monotonic clock.
        end: When the work must end.
        levels_end: When the levels must end.
        hurried: Whether `Deadline.hurry` brought the end forward.
        cancelled: Whether the request was cancelled.
    """

    task: int
    start: float
    end: float
    levels_end: float
    hurried: bool
    cancelled: bool

    @classmethod
    def of(cls, task: int, deadline: Deadline) -> DeadlineState:
        """Returns the state of a deadline now."""
        ends = deadline.end, deadline.levels_end
        return cls(task, deadline.start, *ends, deadline.hurried, deadline.cancelled)

    @classmethod
    def unpack(cls, packed: bytes) -> DeadlineState:
        """Returns the state that `pack` wrote."""
        return cls(*LAYOUT.unpack(packed))

    def pack(self) -> bytes:
        """Returns the state as bytes."""
        return LAYOUT.pack(self.task, self.start, self.end, self.levels_end, self.hurried, self.cancelled)

    def deadline(self) -> Deadline:
        """Returns a new deadline with this state."""
        made = Deadline(math.inf)
        made.start, made.end, made.levels_end = self.start, self.end, self.levels_end
        made.hurried = self.hurried
        self.apply(made)
        return made

    def apply(self, deadline: Deadline) -> None:
        """Changes a deadline to this state. The end only ever moves forward."""
        if self.hurried:
            deadline.hurry(self.end)
        deadline.bring_forward(self.end, self.levels_end)
        if self.cancelled:
            deadline.cancel()


def send_state(control: socket.socket, state: DeadlineState) -> bool:
    """Sends a state without waiting. Returns whether it was sent, or need not be sent any more."""
    try:
        control.send(state.pack(), socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # the engine is gone
    return True
