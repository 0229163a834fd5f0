"""Measures and limits the memory that a peer uses for its work."""

import os
import resource

from benchmarks.processes import forget_peak, peak_mb, resident_mb


class Memory:
    """Measures the memory from the time when it is created, and limits it.

    If the process needs more than `limit` bytes of address space (0: no limit), it gets a MemoryError.
    """

    def __init__(self, limit: int) -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        forget_peak(os.getpid())
        self._before = resident_mb(os.getpid())

    def taken_mb(self) -> float:
        """Returns how much more memory was used at the peak than at the start, in MB."""
        return peak_mb(os.getpid()) - self._before
