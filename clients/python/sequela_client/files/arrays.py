"""Reads arrays from files: npy, npz, and nested lists in JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.files.cells import number
from sequela_client.files.file_table import FileTable
from sequela_client.files.text_format import file_error


def read_npy(path: Path) -> NDArray[Any] | FileTable:
    """Reads the array of a .npy file, or a table if it has named fields. Raises ValueError if it cannot be used."""
    with path.open("rb") as file:
        try:
            # A pickle can run any code when it is loaded.
            array = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise ValueError(_plainly(error)) from error
    return _table(path, array) if array.dtype.names else check_array(array)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Reads the arrays of a .npz file by name. Raises ValueError if one of them cannot be used."""
    with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
        names = list(archive)
        try:
            return {name: check_array(archive[name], f"array {name}: ") for name in names}
        except ValueError as error:
            raise ValueError(_plainly(error)) from error


def array_of_lists(where: str, lists: Any) -> NDArray[Any]:
    """Converts nested lists of numbers to an array; null is NaN. Raises CallerError, naming the wrong element."""
    try:
        array = np.asarray(lists)
    except ValueError as error:
        raise file_error(where, f"its rows differ in length{_first_ragged(lists)}") from error
    if array.dtype.kind in "biuf":
        return array
    # numpy makes objects if there are numbers and null, and texts if there are numbers and texts.
    if array.dtype.kind not in "OU" or not isinstance(lists, list):
        raise file_error(where, "not an array of numbers")
    flat = [_number(where, index, lists) for index in np.ndindex(array.shape)]
    done = np.array(flat)
    return (done if done.dtype.kind in "biuf" else np.array(flat, np.float64)).reshape(array.shape)


def check_array(array: NDArray[Any], where: str = "") -> NDArray[Any]:
    """Returns the array as it is. Raises ValueError if it does not hold numbers."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{where}it contains {_what(array)}, not numbers; write it with astype('float32')")
    if array.ndim == 0:
        raise ValueError(f"{where}it is a single number, not an array (events, columns)")
    return array


def _what(array: NDArray[Any]) -> str:
    kinds = {
        "O": "Python objects",
        "U": "texts",
        "S": "bytes",
        "M": "dates",
        "m": "durations",
        "c": "complex numbers",
    }
    return kinds.get(array.dtype.kind, str(array.dtype))


def _number(where: str, index: tuple[int, ...], lists: Any) -> float | int:
    """Returns one element of nested lists as a number. Raises CallerError if it is not one."""
    cell = lists
    for each in index:
        cell = cell[each]
    try:
        if isinstance(cell, dict | list):
            raise ValueError("not an array of numbers")
        return number(cell)
    except ValueError as error:
        place = ", ".join(
            f"{axis} {each + 1}" for axis, each in zip(("row", "column", "place"), index, strict=False)
        )
        raise file_error(where, f"not an array of numbers: {place}: {error}") from error


def _first_ragged(lists: Any) -> str:
    """Returns the place of the first row whose length differs."""
    if not isinstance(lists, list) or not all(isinstance(row, list) for row in lists):
        return ""
    other = next((at for at, row in enumerate(lists) if len(row) != len(lists[0])), 0)
    return f": row {other + 1} has {len(lists[other])} values, row 1 has {len(lists[0])}" if other else ""


def _table(path: Path, array: NDArray[Any]) -> FileTable:
    """Returns the table of a structured array, as pandas' to_records makes it."""
    names = array.dtype.names or ()
    if array.ndim != 1 or any(
        array.dtype[name].kind not in "biufU" or array.dtype[name].shape for name in names
    ):
        raise ValueError("it has named fields with something other than a single number or text")
    rows = tuple(tuple(row) for row in array.tolist())
    if not rows:
        raise ValueError("it has no events")
    return FileTable(path, rows, tuple(range(1, len(rows) + 1)), names, unit="row")


def _plainly(error: ValueError) -> str:
    if "allow_pickle" in str(error):
        return "it contains Python objects (written with allow_pickle), which are never loaded; use astype('float32')"
    return re.sub(r"\s+", " ", str(error))
