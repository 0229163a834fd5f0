"""Files that only their owner may read, because they hold what callers sent."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def make_private(path: Path) -> None:
    """Creates an empty file that only its owner may read, unless the file exists.

    SQLite gives its log the same permissions as its file. If the file cannot be created, SQLite says why when it opens
    it.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
