"""A lock that keeps a second server away from a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

from sequela.adapters.store.private_file import make_private
from sequela.errors import Unavailable


class StoreInUse(Unavailable):
    """Another process uses the file."""

    def __init__(self, path: Path, holder: str) -> None:
        text = (
            f"the store {path} is in use by another server{f' (process {holder})' if holder else ''}; stop that "
            "server, or give this one another path with --store, or share a store with --store redis://…"
        )
        super().__init__("STORE_IN_USE", text)


class StoreLock:
    """Locks `{path}.lock` for as long as this process lives. The process id in that file is only for messages."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.lock")
        self.existed = self.path.exists()
        make_private(self.path)
        self._file = self.path.open("a+")
        if not _lock(self._file):
            self._file.seek(0)
            holder = self._file.read(20).strip()
            self._file.close()
            raise StoreInUse(path, holder)
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def close(self) -> None:
        """Gives the lock back. The file stays, since another process may be about to lock it."""
        self._file.close()


def _lock(file: IO[str]) -> bool:
    if sys.platform == "win32":
        return True  # SQLite's own locks have to do
    import fcntl  # noqa: PLC0415  # Windows does not have it

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
