"""Files that are read again when they change, without a restart."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from sequela.explain.telemetry import CredentialsReloaded

T = TypeVar("T")
Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]


Report: TypeAlias = Callable[[CredentialsReloaded], None]


class WatchedFiles(Generic[T]):
    """What some files contain now, or what they contained before somebody wrote something wrong. Thread-safe.

    Args:
        source: What the files are, for the report.
        paths: The files that `read` reads.
        read: Reads the files. It may raise OSError or ValueError.
        report: Is told about every change.

    Raises:
        OSError: A file cannot be read at the start.
        ValueError: A file is wrong at the start.
    """

    def __init__(self, source: str, paths: Iterable[Path], read: Callable[[], T], report: Report) -> None:
        self._source = source
        # As texts, because the files are looked up for each request, and paths take several times as long.
        self._paths = tuple(map(str, paths))
        self._read = read
        self._report = report
        self._lock = threading.Lock()
        self._stamp = self._now()
        self._value = read()

    def current(self) -> T:
        """Returns the content. Does not raise: files that are wrong or gone change nothing but the report."""
        # Only the state of the files is looked up for each request. That takes microseconds.
        if self._now() != self._stamp:
            with self._lock:
                self._reload()
        return self._value

    def _reload(self) -> None:
        stamp = self._now()
        if stamp == self._stamp:
            return  # another thread was faster
        try:
            value = self._read()
        except (OSError, ValueError) as error:
            self._stamp = stamp
            self._report(CredentialsReloaded(self._source, False, str(error)))
            return
        # If a file has changed meanwhile, its parts may not belong together. The next call reads it again.
        if self._now() == stamp:
            self._stamp, self._value = stamp, value
            self._report(CredentialsReloaded(self._source, True))

    def _now(self) -> Stamp:
        return tuple(map(_stamp, self._paths))


def text_file(source: str, path: Path, parse: Callable[[str], T], report: Report) -> WatchedFiles[T]:
    """Watches a file in UTF-8. `parse` raises ValueError for wrong content. Raises as `WatchedFiles` does."""

    def read() -> T:
        try:
            return parse(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    return WatchedFiles(source, [path], read, report)


def _stamp(path: str) -> tuple[int, int, int] | None:
    """Returns what changes when a file is written or replaced; None if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
