"""Turns columns of text in a DataFrame, or another table in memory, into the numbers of the model's categories."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_client.arrays import not_an_array
from sequela_client.model_inputs.categories import category_id
from sequela_client.model_inputs.columns import name_list
from sequela_client.model_inputs.layout import Layout
from sequela_client.resources import ModelFeature
from sequela_client.tables import Columns, Items, is_date, only_numbers


@dataclass(frozen=True, slots=True)
class CategoryColumns:
    """Reads a column of text as the model's feature of that name takes it.

    Args:
        layout: the inputs and features of the model.
    """

    layout: Layout

    def __call__(self, where: str, name: str, cells: Items) -> Columns:
        """Returns one column of ids, or one for each category of a one-hot feature, under the names that the server
        matches.
        """
        feature = next((each for each in self.layout.features if _belongs(name, each)), None)
        if feature is None and not self.layout.unnamed and not _has_dates(cells):
            # The server leaves the column out, with a warning. If it were left out here, the caller would not be
            # warned.
            return {name: [0] * len(cells)}
        if feature is None or not feature.categories or feature.name != name:
            return only_numbers(where, name, cells)
        width = sum(map(len, feature.columns.values()))
        ids = _ids(f"{where or 'the sequence'}, column {name!r}", feature, cells, width > 1)
        if width == 1:
            return {name: ids}
        return {
            f"{name}_{category}": [int(each == at) for each in ids]
            for at, category in enumerate(feature.categories)
        }


def _has_dates(cells: Items) -> bool:
    """Returns whether a column holds dates as text. They may be the times of the events, which must not be lost."""
    return any(isinstance(cell, str) and is_date(cell) for cell in cells)


def _belongs(name: str, feature: ModelFeature) -> bool:
    """Returns whether a column is called like a feature, or like one of its columns: channel.0, channel_web."""
    return name == feature.name or (name.startswith(feature.name) and name[len(feature.name)] in "._=")


def _ids(where: str, feature: ModelFeature, cells: Items, names_only: bool) -> list[int]:
    return [_id(where, feature, row, cell, names_only) for row, cell in enumerate(cells)]


def _id(where: str, feature: ModelFeature, row: int, cell: object, names_only: bool) -> int:
    try:
        found = category_id(cell, feature.categories, names_only)  # type: ignore[arg-type] # whatever a table holds
    except ValueError as error:
        raise not_an_array(f"{where}, row {row}", str(error)) from None
    if found is None:
        text = f"the value is missing; the categories are {name_list(feature.categories)}"
        raise not_an_array(f"{where}, row {row}", text)
    return found
