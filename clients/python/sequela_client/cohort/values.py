"""Turns columns of Arrow into numbers, all sequences of a batch at once.

The words of a CSV file mean the same as in `sequela explain`: missing values, numbers and names of categories.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sequela_client.errors import CallerError
from sequela_client.files.cells import number
from sequela_client.model_inputs.categories import category_id

NOT_A_NUMBER, VALUE_MISSING, UNKNOWN_CATEGORY = "NOT_A_NUMBER", "VALUE_MISSING", "UNKNOWN_CATEGORY"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a column.

    Args:
        values: int64, or float64 with NaN for missing and faulty values.
        faulty: the places that hold no number.
        text: what is wrong with the value at a place.
        reason: the code of that mistake.
    """

    values: NDArray[Any]
    faulty: NDArray[np.int64]
    text: Callable[[int], str]
    reason: str = NOT_A_NUMBER

    @property
    def missing(self) -> NDArray[np.int64]:
        """The places whose value is missing."""
        if self.values.dtype.kind != "f":
            return np.empty(0, np.int64)
        absent = np.isnan(self.values)
        absent[self.faulty] = False
        return np.flatnonzero(absent)


def is_text(kind: Any) -> bool:
    """Whether a type of Arrow is text, or a dictionary of texts."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def numbers(name: str, column: Any, decimal: str = ".") -> Numbers:
    """The numbers of a flat column.

    Raises:
        CallerError: COLUMNS_DIFFER, the type of the column is not one of numbers, such as times.
    """
    kind = column.type
    if is_text(kind):
        return _of_text(column, decimal)
    if pa.types.is_null(kind):
        return _plain(np.full(len(column), np.nan))
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise CallerError(
            f"the input, column {name!r}: holds {kind}, not numbers; name it (--time, --id) or leave it out",
            reason="COLUMNS_DIFFER",
        )
    return _plain(_array(column))


def _array(column: Any) -> NDArray[Any]:
    """Integers as int64 unless one is missing, else float64."""
    if pa.types.is_integer(column.type) and not column.null_count:
        # Above 2**63 - 1 only uint64 has integers, which are then as exact as float64.
        with suppress(pa.ArrowInvalid):
            return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False))
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    cast = column.cast(pa.float64(), safe=False)
    return np.asarray(cast.fill_null(np.nan).to_numpy(zero_copy_only=False))


def _plain(values: NDArray[Any]) -> Numbers:
    faulty = np.flatnonzero(np.isinf(values)) if values.dtype.kind == "f" else np.empty(0, np.int64)
    return Numbers(values, faulty, lambda place: f"{values[place]} is not a finite number")


def _of_text(column: Any, decimal: str) -> Numbers:
    """Parses all texts at once if every one is a plain number, else each different text by the rules of files."""
    for kind in (pa.int64(), pa.float64()):
        try:
            plain = _array(_with_points(_decoded(column), decimal).cast(kind))
        except pa.ArrowInvalid:
            continue
        # Arrow reads "inf" and "nan", which mean something else in files; they go the other way.
        if plain.dtype.kind != "f" or np.isfinite(plain).all():
            return _plain(plain)
    return _by_word(column, lambda text: _parsed(text, decimal))


def _with_points(texts: Any, decimal: str) -> Any:
    """Texts with decimal points, as Arrow reads them.

    Raises:
        ArrowInvalid: a text has a point already, which may separate thousands.
    """
    if decimal == ".":
        return texts
    if pc.any(pc.match_substring(texts, ".")).as_py():
        raise pa.ArrowInvalid("a text with decimal commas has a point")
    return pc.replace_substring(texts, decimal, ".")


def _parsed(text: str | None, decimal: str = ".") -> float | int | str:
    try:
        return number(text, decimal)
    except ValueError as error:
        return str(error)


def categories(column: Any, names: Sequence[str], words: bool) -> Numbers:
    """The ids of a column of categories.

    Args:
        column: the texts.
        names: the names of the categories, in the order of their ids.
        words: whether the column has names only, and no ids.
    """
    texts = column if is_text(column.type) else column.cast(pa.string())
    found = _by_word(texts, lambda text: _category(text, names, words))
    return Numbers(found.values, found.faulty, found.text, UNKNOWN_CATEGORY)


def _category(text: str | None, names: Sequence[str], words: bool) -> float | int | str:
    try:
        found = category_id(text, names, words)
    except ValueError as error:
        return str(error)
    return float("nan") if found is None else found


def _by_word(column: Any, read: Callable[[str | None], float | int | str]) -> Numbers:
    """Reads each different text once."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = [*encoded.dictionary.to_pylist(), None]
    results = [read(word) for word in words]
    places = np.asarray(pc.fill_null(encoded.indices.cast(pa.int64()), len(words) - 1))
    wrong = np.array([isinstance(each, str) for each in results])
    faulty = np.flatnonzero(wrong[places])
    used = [results[each] for each in np.unique(places)]
    whole = all(isinstance(each, int) for each in used)
    table = np.array([_number(each, whole) for each in results], np.int64 if whole else np.float64)
    return Numbers(table[places], faulty, lambda place: str(results[places[place]]))


def _number(result: float | int | str, whole: bool) -> float | int:
    """The number to hold; faulty and unused values are 0 among integers, which have no NaN."""
    if isinstance(result, str) or math.isnan(result):
        return 0 if whole else math.nan
    return result


def _decoded(column: Any) -> Any:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
