"""Reads the ids of sequences as texts."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sequela_client.cohort.lists import is_list
from sequela_client.errors import CallerError


def id_texts(name: str, column: Any) -> list[str | None]:
    """Returns the ids in a column as texts; None where one is missing. Different values have different texts.

    Raises:
        CallerError: COLUMNS_DIFFER, the column does not hold ids.
    """
    check_ids(name, column.type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    try:
        texts: list[str | None] = column.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _refused(name, column.type) from error
    return texts


def check_ids(name: str, kind: Any) -> None:
    """Raises CallerError if a type of Arrow is not one of ids."""
    if is_list(kind) or pa.types.is_nested(kind):
        raise _refused(name, kind)


def _refused(name: str, kind: Any) -> CallerError:
    return CallerError(
        f"the input, column {name!r}: holds {kind}, which cannot name sequences; ids are texts in "
        "UTF-8, numbers or times",
        reason="COLUMNS_DIFFER",
    )
