"""Reads files of numpy: sequences of one length in an array (n, l, d), or of any lengths one below the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sequela_client.cohort.batches import REPEATED, ROW
from sequela_client.errors import CallerError

LENGTHS = "lengths"
"""The array of an npz file with the lengths of the sequences; arrays of events are then (all events, d)."""

VALUES = "values"
"""The name of the only array of an .npy file."""


# The kinds of element types: booleans, integers, floats, texts, times.
_KINDS = "biufUSM"


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFile:
    """Arrays by name, each with one row for each sequence, or for each event if `lengths` are given.

    Args:
        path: the file.
        arrays: the arrays; those of events have a last axis for the columns.
        lengths: how many events each sequence has; None: the second axis of (n, l, d).
        id: the array of the ids.
    """

    path: Path
    arrays: Mapping[str, NDArray[Any]]
    lengths: NDArray[np.int64] | None
    id: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays."""
        return tuple(self.arrays)

    def count(self) -> int:
        """How many sequences there are."""
        if self.lengths is not None:
            return len(self.lengths)
        return len(next(iter(self.arrays.values())))

    def first(self, column: str) -> str | None:
        """Returns the first value of an array."""
        return str(self.arrays[column][0]) if len(self.arrays[column]) else None

    def batches(self, wanted: Sequence[str], rows: int) -> Iterator[Any]:
        """Yields RecordBatches of these arrays, as lists of events.

        Args:
            wanted: the names of the arrays.
            rows: how many sequences a batch has at most.
        """
        names = list(dict.fromkeys([*wanted, *([self.id] if self.id else [])]))
        repeated = self._repeated()
        for start in range(0, self.count(), rows):
            stop = min(start + rows, self.count())
            columns = [self._column(name, start, stop) for name in names]
            positions = pa.array(np.arange(start, stop))
            yield pa.RecordBatch.from_arrays(
                [positions, pa.array(repeated[start:stop]), *columns], names=[ROW, REPEATED, *names]
            )

    def _repeated(self) -> NDArray[np.bool_]:
        """Returns whether each row has the id of an earlier row."""
        again = np.ones(self.count(), bool)
        ids = self.arrays[self.id] if self.id else np.arange(self.count())
        again[np.unique(ids, return_index=True)[1]] = False
        return again

    def _column(self, name: str, start: int, stop: int) -> Any:
        array = self.arrays[name]
        if self.lengths is not None and len(array) == int(self.lengths.sum()) and name != self.id:
            offsets = np.concatenate([[0], np.cumsum(self.lengths[start:stop])])
            first = int(self.lengths[:start].sum())
            return pa.ListArray.from_arrays(
                pa.array(offsets.astype(np.int32)), _rows(array[first : first + int(offsets[-1])])
            )
        return _rows(array[start:stop])


def _rows(array: NDArray[Any]) -> Any:
    """Returns an array as a column of Arrow. Axes after the first become lists of a fixed size."""
    if array.ndim == 1:
        # Arrow accepts only the byte order of this machine.
        return pa.array(array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("=")))
    flat = _rows(array.reshape(-1, *array.shape[2:]))
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def open_arrays(path: str, id: str | None) -> ArrayFile:
    """Opens a file. An .npy file is mapped, and not read into memory as a whole.

    Raises:
        CallerError: it cannot be read, or its arrays do not have one row for each sequence.
    """
    where = Path(path)
    try:
        loaded = np.load(where, mmap_mode="r" if where.suffix == ".npy" else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CallerError(f"{where.name}: {error}", reason="FILE_NOT_READABLE") from error
    held = (
        {VALUES: loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    )
    lengths = held.pop(LENGTHS, None)
    _check(where, held, lengths)
    return ArrayFile(where, held, None if lengths is None else lengths.astype(np.int64), id)


def _check(where: Path, held: Mapping[str, NDArray[Any]], lengths: NDArray[Any] | None) -> None:
    for name, array in held.items():
        if not array.ndim or array.dtype.kind not in _KINDS or 0 in array.shape[1:]:
            raise CallerError(
                f"{where.name}: array {name!r} of shape {array.shape} and type {array.dtype} holds no sequences; an "
                "array of sequences is (sequences, events, columns), of numbers or texts",
                reason="FILE_NOT_READABLE",
            )
    counts = {name: len(array) for name, array in held.items()}
    allowed = set(counts.values()) if lengths is None else {len(lengths), int(lengths.sum())}
    if not held or not set(counts.values()) <= allowed or (lengths is None and len(allowed) > 1):
        told = ", ".join(f"{name} {array.shape}" for name, array in held.items())
        raise CallerError(
            f"{where.name}: its arrays ({told}) have no row for each sequence; sequences of different lengths need "
            f"an array {LENGTHS!r}, and arrays of events one below the other",
            reason="FILE_NOT_READABLE",
        )
