"""Averages sequences into a background, one sequence at a time (TimeSHAP Eq. 5, docs/design.md §4.8).

Values are averaged as (positions, repeats, columns). An average event has one position, and every event is a repeat.
An average sequence has one position for each event, counted from the most recent one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.background import Background
from sequela.explain.column_averages import MAX_KEPT, ColumnAverage, InputAverage, Mean, Median
from sequela.explain.limits import Limits
from sequela.explain.schema import InputSchema, ModelSchema, Role
from sequela.timeshap.cells import Cells


class Average(StrEnum):
    """How numeric columns are averaged."""

    MEAN = "mean"
    MEDIAN = "median"


class BackgroundShape(StrEnum):
    """Whether the average is one event, or one event for every position."""

    EVENT = "event"
    SEQUENCE = "sequence"


class Averager:
    """Averages the sequences that are added.

    Every event of every sequence has the same weight. Categorical and one-hot features are averaged by their mode; ties
    go to the smallest id or the first column. Averages of integer and bool columns are rounded to the nearest whole
    number, halves to even. An average sequence has as many rows as the longest sequence, up to
    `limits.max_background_rows`. Events older than that get the average event.

    Args:
        schema: The model's schema.
        average: How numeric columns are averaged.
        shape: Whether the average is an event or a sequence.
        limits: The service's limits.
        max_kept: How many numbers of one input may be kept in memory for a median, or for a mode over a large number
            of categories. A mean needs only as much memory as one background.
    """

    def __init__(
        self,
        schema: ModelSchema,
        average: Average = Average.MEAN,
        shape: BackgroundShape = BackgroundShape.EVENT,
        limits: Limits | None = None,
        max_kept: int = MAX_KEPT,
    ) -> None:
        self._limits = limits or Limits()
        self._events = tuple(given for given in schema.inputs if given.role is Role.EVENTS)
        self._static = tuple(given for given in schema.inputs if given.role is Role.STATIC)

        def numeric(columns: int) -> ColumnAverage:
            return Mean(columns) if average is Average.MEAN else Median(max_kept)

        def averages(inputs: tuple[InputSchema, ...]) -> tuple[InputAverage, ...]:
            return tuple(InputAverage(schema, given, numeric, max_kept) for given in inputs)

        self._any_event = averages(self._events)
        self._by_position = averages(self._events if shape is BackgroundShape.SEQUENCE else ())
        self._any_static = averages(self._static)
        self.sequences = 0
        self.events = 0

    def add(self, cells: Cells) -> None:
        """Adds one sequence of real events.

        Raises:
            InvalidInput: There are more than `limits.max_averaged_sequences` sequences, or a median or mode would
                need to keep more than `max_kept` numbers.
        """
        if self.sequences == self._limits.max_averaged_sequences:
            raise InvalidInput.at(
                "sequence",
                "TOO_MANY_SEQUENCES",
                f"more than the limit of {self.sequences} sequences (--max-averaged-sequences); send fewer",
            )
        self.sequences += 1
        self.events += cells.length
        # Reversed, so that position 0 is the most recent event of every sequence.
        latest = slice(None, -self._limits.max_background_rows - 1, -1)
        for average, values in zip(self._any_event, cells.events, strict=True):
            average.add(values[np.newaxis])
        for average, values in zip(self._by_position, cells.events, strict=False):
            average.add(values[latest, np.newaxis])
        for average, values in zip(self._any_static, cells.static, strict=True):
            average.add(values[np.newaxis, np.newaxis])

    def finish(self) -> Background:
        """Returns the background, in the model's element types.

        Raises:
            InvalidInput: No sequence was added.
        """
        if not self.sequences:
            raise InvalidInput.at(
                "sequence", "NO_SEQUENCES", "no sequence was sent; an average needs at least one"
            )
        mean_event = _values(self._events, self._any_event)
        rows = _values(self._events, self._by_position) if self._by_position else mean_event
        static = _values(self._static, self._any_static)
        return Background(
            # Position 0 was the most recent event, but rows start with the oldest.
            rows={name: np.ascontiguousarray(values[::-1]) for name, values in rows.items()},
            mean_event={name: values[0] for name, values in mean_event.items()},
            static={name: values[0] for name, values in static.items()},
        )


def _values(inputs: tuple[InputSchema, ...], averages: tuple[InputAverage, ...]) -> dict[str, NDArray[Any]]:
    return {given.name: average.value() for given, average in zip(inputs, averages, strict=True)}
