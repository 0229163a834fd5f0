"""The cohorts that the operator named. They are opened when they are first needed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
from pyarrow import ArrowException
from sequela_client.cohort import schema
from sequela_client.errors import CallerError

from sequela_console.cohort_files.open_cohort import OpenCohort, Stamp
from sequela_console.http.errors import not_found

# How many cohorts stay open. Each has a DuckDB of its own, which may take up to 2 GB while it works.
MOST_OPEN = 4
COHORT_UNREADABLE = "COHORT_UNREADABLE"
_UNREADABLE = (
    "the files of the cohort {name!r} cannot be read: they are gone, damaged, or still being written; try again later, "
    "or ask the operator of the console"
)


class CohortCatalogue:
    """Cohorts by name.

    Args:
        folders: the folders that `sequela explain-all` wrote.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = folders
        self._open: OrderedDict[str, OpenCohort] = OrderedDict()
        self._lock = threading.Lock()
        # Large cohorts take seconds to open, and visitors of others need not wait for that.
        self._opening = {name: threading.Lock() for name in folders}

    def cohort(self, name: str) -> OpenCohort:
        """Returns a cohort. It is opened again if its files have changed.

        Raises:
            ApiError: 404, there is no cohort of this name.
            CallerError: its folder cannot be read, or is being written.
        """
        folder = self.folders.get(name)
        if folder is None:
            raise not_found("COHORT_NOT_FOUND", f"there is no cohort {name[:80]!r}")
        with self._opening[name], readable(name):
            stamp = stamp_of(folder)
            with self._lock:
                found = self._open.get(name)
            if found is None or found.stamp != stamp:
                found = _opened(name, folder, stamp)
            self._keep(name, found)
            return found

    def _keep(self, name: str, cohort: OpenCohort) -> None:
        with self._lock:
            self._open[name] = cohort
            self._open.move_to_end(name)
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)

    @contextmanager
    def both(self, first: str, second: str) -> Iterator[tuple[OpenCohort, OpenCohort]]:
        """Opens two cohorts for one comparison, in which the first reads the files of the second as well."""
        folders = [self.folders[name] for name in (first, second)]
        found = [
            OpenCohort.read(name, folder, stamp_of(folder), folders)
            for name, folder in zip((first, second), folders, strict=True)
        ]
        try:
            yield found[0], found[1]
        finally:
            for each in found:
                each.rows.database.connection.close()


def _opened(name: str, folder: Path, stamp: Stamp) -> OpenCohort:
    """Opens a cohort. Its errors name the cohort, since readers of the pages need not know the machine's folders."""
    try:
        return OpenCohort.read(name, folder, stamp, [folder]).in_memory()
    except CallerError as error:
        words = str(error)
        for path in (folder.resolve(), folder):
            words = words.replace(str(path), f"the folder of {name!r}")
        raise CallerError(words, reason=error.reason) from error


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Raises CallerError in place of the errors of files that are gone, damaged, or not complete yet."""
    try:
        yield
    except (OSError, ArrowException, duckdb.IOException, duckdb.InvalidInputException) as error:
        raise unreadable(name) from error
    except CallerError as error:
        raise CallerError(str(error), reason=COHORT_UNREADABLE) from error


def unreadable(name: str) -> CallerError:
    """Returns the error for a cohort whose files cannot be read."""
    return CallerError(_UNREADABLE.format(name=name), reason=COHORT_UNREADABLE)


def stamp_of(folder: Path) -> Stamp:
    """Returns names, sizes and times of the files of a cohort, which change when a run adds rows."""
    held = [(path, path.stat()) for path in sorted(folder.glob(schema.PART_PATTERN))]
    return tuple((path.name, state.st_size, state.st_mtime_ns) for path, state in held)
