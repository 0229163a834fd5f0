"""What a caller hands in: sequences, what people read about their events, and background values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numpy.typing import ArrayLike

from sequela_client.errors import CallerError
from sequela_client.tables import Table

Values = ArrayLike | Table | Mapping[str, ArrayLike]
"""An array for a model with one input, or arrays by input name. Sequences: (l, d), oldest event first."""


@dataclass(frozen=True, slots=True)
class EventInfo:
    """What people read about one event: echoed and stored, never fed to the model.

    `display` maps a feature's name, or any other caption, to the raw value as text.
    """

    id: str = ""
    time: datetime | None = None
    display: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A sequence with what is known about it. `events`: none, or one for each real event, oldest first.

    `id` and `labels` become the explanation's caller id and labels.
    """

    inputs: Values
    events: tuple[EventInfo, ...] = ()
    id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class BackgroundValues:
    """Background values with the event that stands before a matrix's first row.

    `rows`: (d) or (k, d) for every event input, (s) for static ones. `mean_event`: (d) for every event input.
    """

    rows: Values
    mean_event: Values | None = None


SequenceLike = Sequence | Values
"""A `Sequence`, or just its values."""

BackgroundLike = str | BackgroundValues | Values | None
"""A registered background's name, values, or None for the model's default."""


def as_sequence(given: SequenceLike) -> Sequence:
    """The values alone, as a `Sequence`."""
    return given if isinstance(given, Sequence) else Sequence(given)


def by_name(values: Values) -> Mapping[str, Any]:
    """The values by input name; a single array has the empty name. Raises CallerError for a name that is no string."""
    if not isinstance(values, Mapping):
        return {"": values}
    for name in values:
        if not isinstance(name, str):
            text = f"inputs are named by strings, not {name!r} of type {type(name).__name__}"
            raise CallerError(text, reason="ARGUMENT_INVALID")
    return values
