"""Finds the rows of a sequence that are padding, and warns about rows that may be padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.schema import InputSchema, ModelSchema, PaddingSide, Role


@dataclass(frozen=True, slots=True, eq=False)
class EventRows:
    """The rows that were sent for all event inputs.

    Attributes:
        items: The inputs.
        arrays: Their rows in the model's element types, (steps, width) each.
    """

    items: Sequence[InputSchema]
    arrays: Sequence[NDArray[Any]]

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Which rows equal the pad value in every column of every input, (steps,)."""
        pairs = zip(self.items, self.arrays, strict=True)
        equal = [np.all(_equal(item, array), axis=1) for item, array in pairs]
        return np.asarray(np.all(equal, axis=0))

    @property
    def value(self) -> str:
        """The pad value as text. If inputs have different pad values, all of them are listed."""
        return ", ".join(f"{value:g}" for value in dict.fromkeys(item.pad_value for item in self.items))


def _equal(item: InputSchema, array: NDArray[Any]) -> NDArray[np.bool_]:
    if np.isnan(item.pad_value):
        return np.asarray(np.isnan(array))
    # Compared in the input's own type, in which a pad value such as 0.1 may be another number.
    return np.asarray(array == np.array(item.pad_value).astype(array.dtype))


def real_rows(schema: ModelSchema, rows: EventRows, path: str) -> slice:
    """Returns the rows that are events if neither a mask nor a length was sent.

    A model without a mask or length input cannot distinguish padding that the caller sent from padding that is added
    here. So rows equal to the pad value, on the side that the schema names, count as padding.

    Raises:
        InvalidInput: No event is left.
    """
    # With a mask or a length, the caller says what is padding by sending it.
    if schema.padding is None or padding_inputs(schema):
        return slice(0, len(rows.arrays[0]))
    blank = rows.blank
    if blank.all():
        text = (
            f"all {len(blank)} rows equal pad_value {rows.value} and count as padding; at least one row must "
            "be an event"
        )
        raise InvalidInput.at(path, "NO_EVENTS", text)
    real = np.flatnonzero(~blank)
    # Only rows at one end are padding. Blank rows between events count as events.
    left = schema.padding is PaddingSide.LEFT
    return slice(int(real[0]), len(blank)) if left else slice(0, int(real[-1]) + 1)


def padding_inputs(schema: ModelSchema) -> list[str]:
    """Returns the names of the inputs that mark padding: masks and lengths."""
    return [item.name for item in schema.inputs if item.role in (Role.MASK, Role.LENGTH)]


def padding_warnings(
    schema: ModelSchema, fixed_length: int | None, rows: EventRows
) -> tuple[ExplanationWarning, ...]:
    """Yields a warning if all rows count as events but some at one end look like padding."""
    names = padding_inputs(schema)
    if not (names or (fixed_length and schema.padding is None)):
        return ()
    blank = rows.blank
    if blank.all():
        return ()
    real = np.flatnonzero(~blank)
    before, after = int(real[0]), len(blank) - 1 - int(real[-1])
    # A single row of zeros is often a real event, so for models without a mask or length it is not mentioned.
    if not before + after or (not names and before + after < 2):
        return ()
    side = "oldest" if before >= after else "newest"
    # One side is enough for the text: the one with more rows.
    count = max(before, after)
    if names:
        help_out = f"because {' or '.join(names)} was not sent; send it if they are padding"
    else:
        help_out = (
            f'if they are padding, set "padding": "{"left" if before >= after else "right"}" in schema.json'
        )
    text = (
        f"The {count} {side} row{'s' * (count > 1)} equal{'s' * (count == 1)} pad_value {rows.value} in every column "
        f"and count{'s' * (count == 1)} as events; {help_out}."
    )
    return (ExplanationWarning("PADDING_COUNTED_AS_EVENTS", text),)
