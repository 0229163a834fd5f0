"""How much memory a peer takes for its work, and no more than the machine has."""

import resource

MB = 1e6


class Memory:
    """Counts from where it is made. Beyond `limit` bytes of addresses the process gets a MemoryError."""

    def __init__(self, limit: int) -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        self._before = self._peak()

    def taken_mb(self) -> float:
        """The peak since then above the peak before it."""
        return self._peak() - self._before

    @staticmethod
    def _peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
