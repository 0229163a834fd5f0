"""Finds the id of a category from its name or its id, whatever file or table it stands in."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sequela_client.files.cells import Cell, is_missing, is_number, number
from sequela_client.model_inputs.columns import name_list


def category_id(cell: Cell, names: Sequence[str], names_only: bool = False, decimal: str = ".") -> int | None:
    """Returns the id of a category.

    Args:
        cell: the name of the category, or its id.
        names: the names of all categories, in the order of their ids.
        names_only: whether ids are refused, as in a one-hot feature that is given by names.
        decimal: the decimal mark of numbers in text.

    Returns:
        The id, counted from 0; None if the cell is empty.

    Raises:
        ValueError: the cell is neither a name nor an id, or may be both. The message says which names there are.
    """
    text = "" if cell is None else str(cell).strip()
    id_given = _whole(text, decimal)
    found = text if text in names else str(id_given)
    if found in names:
        index = list(names).index(found)
        # A category may be called "3" and have the id 1.
        if id_given is not None and id_given != index:
            raise ValueError(
                f"{text!r} is the name of category {index} and may be an id; write ids as numbers, in a format that "
                "tells numbers from text (JSON, .npy, Parquet, a DataFrame)"
            )
        return index
    if is_missing(cell):
        return None
    if id_given is not None and 0 <= id_given < len(names) and not names_only:
        return id_given
    raise ValueError(f"{text!r} is not one of the categories: {name_list(names)}")


def _whole(text: str, decimal: str) -> int | None:
    """Returns the whole number in a text such as 3 or 3.0 (as pandas writes ids if one is missing); else None."""
    value = number(text, decimal) if is_number(text, decimal) else math.nan
    return int(value) if math.isfinite(value) and value == int(value) else None
