"""Files that are read again when they change, without a restart."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from sequela.access.lines import NoEntries
from sequela.explain.telemetry import CredentialsReloaded

T = TypeVar("T")
Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]


EMPTY_SECONDS = 2.0
"""A file without entries is accepted once it has not changed for this time. Until then, it may be being written."""

Report: TypeAlias = Callable[[CredentialsReloaded], None]


class WatchedFiles(Generic[T]):
    """The content of some files: the present one, or the last one that was valid. Thread-safe.

    Args:
        source: The name of the files in the report.
        paths: The files that `read` reads.
        read: Reads the files. It may raise OSError or ValueError, also for files without entries.
        report: Receives every change.
        empty: The content of files without entries. It is accepted after `EMPTY_SECONDS`. None if such files are wrong.

    Raises:
        OSError: A file cannot be read at the start.
        ValueError: A file is wrong at the start.
    """

    def __init__(
        self,
        source: str,
        paths: Iterable[Path],
        read: Callable[[], T],
        report: Report,
        empty: T | None = None,
    ) -> None:
        self._source = source
        # As texts, because the files are looked up for each request, and paths take several times as long.
        self._paths = tuple(map(str, paths))
        self._read = read
        self._report = report
        self._empty = empty
        self._empty_since: tuple[Stamp, float] | None = None
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
            value, detail = self._content()
        except (OSError, ValueError) as error:
            self._stamp = stamp
            self._report(CredentialsReloaded(self._source, False, str(error)))
            return
        if value == self._empty and self._unchanged_seconds(stamp) < EMPTY_SECONDS:
            return
        # If a file has changed meanwhile, its parts may not belong together. The next call reads it again.
        if self._now() == stamp:
            self._stamp, self._value = stamp, value
            self._report(CredentialsReloaded(self._source, True, detail))

    def _content(self) -> tuple[T, str]:
        """Returns what the files contain now, and what the report should say about it."""
        try:
            return self._read(), ""
        except NoEntries as error:
            if self._empty is None:
                raise
            return self._empty, f"{error}, so nobody may call with it"

    def _unchanged_seconds(self, stamp: Stamp) -> float:
        """Returns for how long the files have not changed: by their own times, or as long as was observed."""
        if self._empty_since is None or self._empty_since[0] != stamp:
            self._empty_since = (stamp, time.monotonic())
        changed = max(each[0] for each in stamp if each)
        # The times of files may be those of another clock, which may even be ahead.
        return max(time.time() - changed / 1e9, time.monotonic() - self._empty_since[1])

    def _now(self) -> Stamp:
        return tuple(map(_stamp, self._paths))


def text_file(
    source: str, path: Path, parse: Callable[[str], T], report: Report, empty: T | None = None
) -> WatchedFiles[T]:
    """Watches a file in UTF-8. `parse` raises ValueError for wrong content. Raises as `WatchedFiles` does."""

    def read() -> T:
        try:
            # Editors of Windows write a byte order mark, which would become a part of the first name.
            return parse(path.read_text(encoding="utf-8-sig"))
        except NoEntries as error:
            raise NoEntries(f"{path}: {error}") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    return WatchedFiles(source, [path], read, report, empty)


def _stamp(path: str) -> tuple[int, int, int] | None:
    """Returns what changes when a file is written or replaced; None if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
