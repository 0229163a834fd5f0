"""Reads the inputs of a model from all sequences of a batch at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sequela_client.cohort.columns import InputColumns
from sequela_client.cohort.flaws import LENGTHS_DIFFER, NO_EVENTS, STATIC_VARIES, Flaw
from sequela_client.cohort.lists import check_list, flat_values, is_list, lengths_of
from sequela_client.cohort.values import VALUE_MISSING, Numbers, categories, is_text, numbers
from sequela_client.model_inputs.columns import Source
from sequela_client.model_inputs.layout import Layout
from sequela_client.resources import ModelInput


class InputReader:
    """Reads the inputs of a batch, and adds to `flaws` why a row cannot be explained, by its place."""

    def __init__(
        self, batch: Any, layout: Layout, used: InputColumns, flaws: dict[int, Flaw], decimal: str = "."
    ) -> None:
        self.flaws = flaws
        self._decimal = decimal
        self._layout, self._used = layout, used
        events = [item.name for item in layout.events]
        of_events = {name for place, (name, _) in used.sources.items() if place[0] in events}
        of_events |= {used.matrices[name] for name in events if name in used.matrices}
        self._note_lengths(batch, sorted(of_events))
        # Rows whose columns differ in length are left out here, since the columns are flattened together below.
        self._places = np.array([at for at in range(len(batch)) if at not in flaws], np.int64)
        self._batch = batch.take(pa.array(self._places))
        self._offsets = self._offsets_of(sorted(of_events))
        self._read: dict[tuple[str, tuple[str, ...], bool], Numbers] = {}

    def arrays(self) -> dict[int, Mapping[str, NDArray[Any]]]:
        """Returns the arrays of each row by its place. Those of rows in `flaws` have no meaning."""
        whole = {item.name: self._input(item) for item in self._layout.inputs}
        static = {item.name for item in self._layout.inputs if item.role == "static"}
        starts = self._offsets.tolist()
        return {
            place: {
                name: array[at] if name in static else array[starts[at] : starts[at + 1]]
                for name, array in whole.items()
            }
            for at, place in enumerate(self._places.tolist())
        }

    def _note_lengths(self, batch: Any, names: Sequence[str]) -> None:
        for name in names:
            check_list(batch, name)
        lengths = [lengths_of(batch.column(name)) for name in names]
        empty = np.minimum.reduce(lengths) < 1
        differ = np.minimum.reduce(lengths) != np.maximum.reduce(lengths)
        for at in np.flatnonzero(empty | differ).tolist():
            told = ", ".join(
                f"{name} {each[at] if each[at] >= 0 else 'null'}"
                for name, each in zip(names, lengths, strict=True)
            )
            self.flaws.setdefault(
                at,
                (LENGTHS_DIFFER, f"its columns differ in length: {told}")
                if differ[at]
                else (NO_EVENTS, "it has no events"),
            )

    def _offsets_of(self, names: Sequence[str]) -> NDArray[np.int64]:
        offsets = np.zeros(len(self._batch) + 1, np.int64)
        np.cumsum(lengths_of(self._batch.column(names[0])), out=offsets[1:])
        return offsets

    def _input(self, item: ModelInput) -> NDArray[Any]:
        """Returns an input of all rows, one below the other: (events, width), or (rows, width) for a static input."""
        if item.name in self._used.matrices:
            return self._matrix(item)
        columns = [self._column(item, at) for at in range(item.width)]
        array = np.stack(columns, axis=1)
        # As in `sequela explain`: int64 for a model that takes integers, else float64.
        whole = item.dtype in ("int32", "int64") and array.dtype.kind == "i"
        return array if whole else np.asarray(array, np.float64)

    def _matrix(self, item: ModelInput) -> NDArray[Any]:
        name = self._used.matrices[item.name]
        column = self._batch.column(name)
        owners = np.arange(len(column))
        if item.role != "static":
            column, owners = column.flatten(), np.repeat(owners, np.diff(self._offsets))
        widths = lengths_of(column) if is_list(column.type) else np.ones(len(column), np.int64)
        wrong = np.flatnonzero(widths != item.width)
        if len(wrong):
            for at in wrong[np.unique(owners[wrong], return_index=True)[1]].tolist():
                self._flaw(
                    int(owners[at]),
                    (
                        LENGTHS_DIFFER,
                        f"column {name!r}: {max(int(widths[at]), 0)} values, but the model takes {item.width}",
                    ),
                )
            good = pa.array(widths == item.width)
            kept = flat_values(column.filter(good))
            found = numbers(name, kept, self._decimal)
            values = np.zeros((len(column), item.width), found.values.dtype)
            values[widths == item.width] = found.values.reshape(-1, item.width)
            return values.astype(np.float64)
        found = numbers(name, flat_values(column), self._decimal)
        self._note(found, np.repeat(owners, item.width), name, item, item.width)
        return found.values.reshape(len(column), item.width)

    def _column(self, item: ModelInput, at: int) -> NDArray[Any]:
        """One column of an input."""
        name, source = self._used.sources[item.name, at]
        found = self._numbers(name, source, item)
        values = (found.values == source.at).astype(np.int64) if source.words else found.values
        return np.asarray(values) if item.role != "static" else self._constant(name, values)

    def _numbers(self, name: str, source: Source, item: ModelInput) -> Numbers:
        """Returns the numbers of a column. It is read once, even if several columns of the model come from it."""
        feature = source.feature
        key = (name, feature.categories, source.words)
        # The columns of a one-hot feature that is given by names all come from one column of the input.
        if key in self._read:
            return self._read[key]
        column = self._batch.column(name)
        nested = is_list(column.type)
        flat = column.flatten() if nested else column
        named = feature.categories and (
            source.words or (feature.kind == "categorical" and is_text(flat.type))
        )
        found = (
            categories(flat, feature.categories, source.words)
            if named
            else numbers(name, flat, self._decimal)
        )
        owners = np.repeat(np.arange(len(column)), lengths_of(column)) if nested else np.arange(len(column))
        self._note(found, owners, name, item)
        self._read[key] = found
        return found

    def _constant(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Returns the value of each sequence for a static input. The values of a list must all be the same."""
        column = self._batch.column(name)
        if not is_list(column.type):
            return values
        lengths = lengths_of(column)
        starts = np.cumsum(lengths) - lengths
        if (lengths < 1).any():
            for at in np.flatnonzero(lengths < 1).tolist():
                self._flaw(at, (VALUE_MISSING, f"column {name!r}: the value is missing"))
            return np.zeros(len(column))
        lowest, highest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        for at in np.flatnonzero(lowest < highest).tolist():
            text = f"column {name!r}: has values from {lowest[at]:g} to {highest[at]:g}; a static input has one value"
            self._flaw(at, (STATIC_VARIES, text))
        return np.asarray(values[starts])

    def _note(
        self, found: Numbers, owners: NDArray[np.int64], name: str, item: ModelInput, width: int = 1
    ) -> None:
        """Adds the first faulty or missing value of each row to the flaws. An event has `width` values."""
        absent = np.empty(0, np.int64) if item.allow_nan else found.missing
        for places, tell in ((found.faulty, found.text), (absent, _missing_text)):
            reason = found.reason if places is found.faulty else VALUE_MISSING
            if not len(places):
                continue
            for first in places[np.unique(owners[places], return_index=True)[1]].tolist():
                owner = int(owners[first])
                # A column that holds a whole input has several values for each event.
                event = (first - int(np.searchsorted(owners, owner))) // width + 1
                self._flaw(owner, (reason, f"column {name!r}, event {event}: {tell(first)}"))

    def _flaw(self, at: int, flaw: Flaw) -> None:
        self.flaws.setdefault(int(self._places[at]), flaw)


def _missing_text(_: int) -> str:
    return (
        'the value is missing; if the model takes NaN for a missing value, set "allow_nan": true for its input in '
        "schema.json"
    )
