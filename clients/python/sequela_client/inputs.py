"""The arguments of callers: sequences, information about their events, and background values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numpy.typing import ArrayLike

from sequela_client.errors import CallerError
from sequela_client.tables import Table

Values = ArrayLike | Table | Mapping[str, ArrayLike]
"""An array or table for a model with one input, or several by input name. A sequence is (l, d), oldest event first."""


@dataclass(frozen=True, slots=True)
class EventInfo:
    """Information about one event for people. It is stored and returned, but the model does not get it.

    Args:
        id: your id of the event.
        time: when it happened. A time without a zone is local time.
        display: raw values as text, by the name of a feature or by any other caption.
    """

    id: str = ""
    time: datetime | None = None
    display: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A sequence, with information about it.

    Args:
        inputs: the values (l, d), or arrays by input name.
        events: information about the events: none, or one item for each real event, oldest first.
        id: your id for the sequence, which becomes the caller id of the explanation.
        labels: labels of the explanation.
        columns: the names of the columns of arrays, by input name, in order. The server matches them with the names of
            the model's features. A sequence that was sent with names has them when it is read again.
    """

    inputs: Values
    events: tuple[EventInfo, ...] = ()
    id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class BackgroundValues:
    """The values of a background.

    Args:
        rows: for every event input an average event (d), or one row for each position (k, d); for static inputs (s).
        mean_event: the event that is used before the first row of (k, d); (d) for every event input.
    """

    rows: Values
    mean_event: Values | None = None


SequenceLike = Sequence | Values
"""A `Sequence`, or its values alone."""

BackgroundLike = str | BackgroundValues | Values | None
"""The name of a stored background, values, or None for the model's default."""


def as_sequence(given: SequenceLike) -> Sequence:
    """Wraps values in a `Sequence`, unless they are one already."""
    return given if isinstance(given, Sequence) else Sequence(given)


def by_name(values: Values) -> Mapping[str, Any]:
    """Returns values by input name; a single array has an empty name. Raises CallerError if a name is not a string."""
    if not isinstance(values, Mapping):
        return {"": values}
    for name in values:
        if not isinstance(name, str):
            text = f"the names of inputs must be strings, not {name!r} of type {type(name).__name__}"
            raise CallerError(text, reason="ARGUMENT_INVALID")
    return values
