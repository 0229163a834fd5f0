"""The folder of one explanation: private files, each written in one step, up to a total size."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import IO, Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from sequela.adapters.trace_files.writer import Writer

log = structlog.get_logger("sequela.trace_files")

Rest = ParamSpec("Rest")
Arrays: TypeAlias = Mapping[str, NDArray[Any]]


class TraceFolder:
    """The files of one explanation. Used by the thread of its request.

    Files are readable by their owner alone, because they hold what callers sent.

    Args:
        path: The folder, which is created.
        writer: Writes the files, so that the request need not wait for the disk.
        max_bytes: The largest size of all arrays together. Tables and JSON are not counted: they are short.

    Attributes:
        broken: Whether writing failed. Nothing more is written then.
        left_out: What did not fit, as sentences.

    Raises:
        OSError: The folder cannot be created.
    """

    def __init__(self, path: Path, writer: Writer, max_bytes: int) -> None:
        # Only the owner may read what callers sent.
        path.mkdir(mode=0o700, parents=True)
        self.path, self._writer, self._bytes_left = path, writer, max_bytes
        self.broken = False
        self.left_out: list[str] = []

    def reserve_rows(self, rows: int, row_bytes: int) -> int:
        """Returns how many of `rows` rows still fit, and reserves their bytes."""
        # max() avoids a division by 0 for rows without bytes.
        fitting = min(rows, self._bytes_left // max(row_bytes, 1))
        self._bytes_left -= fitting * row_bytes
        return fitting

    def write_arrays(self, name: str, make: Callable[[], Arrays]) -> None:
        """Writes an `.npz` file of arrays whose bytes are reserved. They are made where they are written."""

        def write(file: IO[bytes]) -> None:
            np.savez(file, **make())  # type: ignore[arg-type]  # numpy's stubs take the names for its options

        self._submit(name, write)

    def write_fitting_arrays(self, name: str, arrays: Arrays) -> None:
        """Writes an `.npz` file of those arrays that still fit."""
        fitting = {key: value for key, value in arrays.items() if self._fits(name, key, value)}
        self.write_arrays(name, lambda: fitting)

    def write_table(self, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Writes a CSV file in UTF-8. Numbers keep all their digits; None is an empty field."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        self._write_text(name, text.getvalue())

    def write_facts(self, name: str, facts: Mapping[str, Any]) -> None:
        """Writes a JSON file in UTF-8."""
        self._write_text(name, json.dumps(facts, indent=1, ensure_ascii=False, default=str))

    def give_up(self, error: Exception) -> None:
        """Logs an error, and writes nothing more. The explanation itself continues."""
        self.broken = True
        log.warning("trace not written", folder=str(self.path), detail=f"{type(error).__name__}: {error}")

    def _fits(self, name: str, key: str, array: NDArray[Any]) -> bool:
        fits = bool(self.reserve_rows(1, array.nbytes))
        if not fits:
            self.left_out.append(f"{name}: the array {key} of {array.nbytes} bytes did not fit")
        return fits

    def _write_text(self, name: str, text: str) -> None:
        self._submit(name, lambda file: file.write(text.encode()))

    def _submit(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        """Lets the writer write a file."""

        def job() -> None:
            if self.broken:
                return
            try:
                self._write(name, write)
            except Exception as error:
                self.give_up(error)

        self._writer.submit(job)

    def _write(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        # The file gets its name last, so that a reader sees all of it or nothing.
        draft = self.path / f".{name}.part"
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                write(file)
            draft.replace(self.path / name)
        except Exception:
            draft.unlink(missing_ok=True)
            raise


class HasFolder(Protocol):
    """Something that writes into a folder."""

    @property
    def folder(self) -> TraceFolder:
        """The folder."""


Recorder = TypeVar("Recorder", bound=HasFolder)


def never_raises(
    method: Callable[Concatenate[Recorder, Rest], None],
) -> Callable[Concatenate[Recorder, Rest], None]:
    """Wraps a method of a `HasFolder` so that it never raises. After an error, nothing more is recorded."""

    @wraps(method)
    def harmless(self: Recorder, /, *args: Rest.args, **kwargs: Rest.kwargs) -> None:
        if self.folder.broken:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self.folder.give_up(error)

    return harmless
