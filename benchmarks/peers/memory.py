"""How much memory a peer takes for its work, and no more than it may."""

import os
import resource

from benchmarks.processes import forget_peak, peak_mb, resident_mb


class Memory:
    """Counts from where it is made. Beyond `limit` bytes of addresses (0: any) the process gets a MemoryError."""

    def __init__(self, limit: int) -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        forget_peak(os.getpid())
        self._before = resident_mb(os.getpid())

    def taken_mb(self) -> float:
        """The peak since then above what there was."""
        return peak_mb(os.getpid()) - self._before
