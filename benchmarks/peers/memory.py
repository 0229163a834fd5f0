"""Measures and limits the memory that a peer uses for its work."""

import os
import resource

from benchmarks.processes import forget_peak, peak_mb, resident_mb


class Memory:
    """Measures from the time it is created. Above `limit` bytes of address space (0: no limit) the process gets a
    MemoryError.
    """

    def __init__(self, limit: int) -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        forget_peak(os.getpid())
        self._before = resident_mb(os.getpid())

    def taken_mb(self) -> float:
        """How far the peak since then is above the memory at the start."""
        return peak_mb(os.getpid()) - self._before
