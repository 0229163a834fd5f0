"""Finds out from the shapes of an output whether it holds columns, steps for events, or steps of a forecast."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sequela.errors import InvalidInput
from sequela.explain.limits import Limits

Shape = tuple[int, ...]

FORECAST_NAME = re.compile("forecast|horizon", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """What an output holds.

    Attributes:
        per_event: Whether there are `count` outputs for each event rather than for each sequence.
        count: The number of outputs.
        steps: If they are steps of a forecast, the number of steps, with count / steps outputs each; else 0.
        names: The names of the outputs, if something names them.
    """

    per_event: bool
    count: int
    steps: int = 0
    names: tuple[str, ...] = ()

    @property
    def classes(self) -> bool:
        """Whether outputs are alternatives, as far as the shape shows."""
        return self.count > 1 and not self.steps

    @property
    def numbered_names(self) -> tuple[str, ...]:
        """Names made of numbers: `output0` is the first output, `step1` the first step ahead."""
        if not self.steps:
            return tuple(f"output{number}" for number in range(self.count))
        width = self.count // self.steps
        names = [f"step{step}" for step in range(1, self.steps + 1)]
        if width == 1:
            return tuple(names)
        return tuple(f"{name}.output{number}" for name in names for number in range(width))


def output_layout(
    shapes: Mapping[int, Shape], output: str, per_event: bool | None, targets: int, limits: Limits, path: str
) -> OutputLayout:
    """Reads an output's layout; axes of size 1 do not count.

    (n, 12, 1) is a forecast of twelve steps. At one fixed length, (n, 8) may hold events or classes, and
    (n, 8, 2) events or steps ahead. Then the schema decides.

    Args:
        shapes: The output's shape at each number of events that the model ran on.
        output: The output's name.
        per_event: What the schema says; None if it says nothing.
        targets: The number of targets in the schema; 0 if it names none.
        limits: The server's limit on columns.
        path: The field of the request to which errors refer.

    Raises:
        InvalidInput: MODEL_OUTPUT_UNSUPPORTED for other shapes; MODEL_TOO_LARGE beyond the limit of columns;
            SCHEMA_NEEDED if nothing decides; SCHEMA_DOES_NOT_FIT if the schema says otherwise.
    """
    over_time = _is_over_time(shapes, output, per_event, targets, path)
    rests = {seen[2:] if over_time else seen[1:] for seen in shapes.values()}
    rest = rests.pop()
    wide = [size for size in rest if size != 1]
    # `rests` still holds shapes if they differ between lengths: then another axis follows the number of events.
    if rests or len(wide) > 2 - over_time:
        raise InvalidInput.at(path, "MODEL_OUTPUT_UNSUPPORTED", _unsupported_text(shapes, output))
    count = math.prod(wide)
    if not 1 <= count <= limits.max_columns:
        text = (
            f"output {output!r} has {count} columns, but must have between 1 and the limit of {limits.max_columns} "
            "(--max-columns)"
        )
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)
    return OutputLayout(over_time, count, 0 if over_time else forecast_steps(rest, output))


def _is_over_time(
    shapes: Mapping[int, Shape], output: str, per_event: bool | None, targets: int, path: str
) -> bool:
    """Returns whether the output's second axis counts events. Raises as `output_layout`."""
    shape = next(iter(shapes.values()))
    follows = all(len(seen) > 1 and seen[1] == length for length, seen in shapes.items())
    # At a single length, the size may equal the number of events by chance.
    if follows and len(shapes) == 1:
        return _by_schema(shape, output, per_event_from_targets(shape, per_event, targets), path)
    said_nothing = per_event is None and not targets
    if said_nothing and len(shapes) == 1 and 1 < next(iter(shapes)) == shape[-1] != shape[1]:
        raise InvalidInput.at(path, "SCHEMA_NEEDED", _last_axis_text(shape, output))
    if per_event is not None and per_event != follows:
        found = "a step for each event" if follows else "no step for each event"
        text = f"per_event: is {str(per_event).lower()}, but output {output!r} has {found}"
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    return follows


def steps_are_last(shapes: Mapping[int, Shape], per_event: bool | None, targets: int) -> bool:
    """Returns whether an output (n, targets, events) has its steps along the last axis, as convolutions give them.

    One fixed length does not show it. Then the schema decides, by `per_event` or by its number of `targets`.
    """
    last = all(len(seen) == 3 and seen[2] == length for length, seen in shapes.items())
    second = all(len(seen) > 1 and seen[1] == length for length, seen in shapes.items())
    if not last or second:
        return False
    said = per_event is True or (per_event is None and next(iter(shapes.values()))[1] == targets)
    return said or len(shapes) > 1


def forecast_steps(rest: Shape, output: str) -> int:
    """Returns the number of steps of a forecast, or 0 if the output is not a forecast.

    Args:
        rest: The output's shape without the batch: (steps, outputs), or (steps) if the output's name says that it is a
            forecast.
        output: The output's name.
    """
    is_forecast = len(rest) > 1 or (len(rest) == 1 and FORECAST_NAME.search(output))
    return rest[0] if is_forecast and rest[0] > 1 else 0


def per_event_from_targets(shape: Shape, per_event: bool | None, targets: int) -> bool | None:
    """Returns `per_event`, or what the number of targets implies: that many outputs for each event, or in total."""
    if per_event is not None or not targets or shape[1] == 1:
        return per_event
    each = math.prod(shape[2:])
    # Any other number of targets fits neither reading.
    return {each: True, each * shape[1]: False}.get(targets)


def _by_schema(shape: Shape, output: str, per_event: bool | None, path: str) -> bool:
    if per_event is None and shape[1] > 1:
        kind = "classes" if len(shape) == 2 else "steps of a forecast"
        text = f"output {output!r} of shape {_format_shape(shape)} may be one step for each event, or {shape[1]} {kind}"
        text += '. Write "per_event": true or false in a schema'
        raise InvalidInput.at(path, "SCHEMA_NEEDED", text)
    return bool(per_event)


def _last_axis_text(shape: Shape, output: str) -> str:
    """Returns the message for an output such as (n, 1, 8) of a model that takes eight events."""
    text = f"output {output!r} of shape {_format_shape(shape)} may have a step for each of {shape[-1]} events along "
    return text + f'its last axis, or {shape[-1]} outputs. Write "per_event": true or false in a schema'


def _unsupported_text(shapes: Mapping[int, Shape], output: str) -> str:
    found = ", ".join(f"{seen} for {length} events" for length, seen in shapes.items())
    text = f"output {output!r} has the shape {found}; supported are (n), (n, outputs), (n, steps, outputs), (n, events)"
    return (
        text
        + " and (n, events, outputs). Name another output in a schema, or export the model with such a shape"
    )


def _format_shape(shape: Shape) -> str:
    return "(" + ", ".join(map(str, ("n", *shape[1:]))) + ")"
