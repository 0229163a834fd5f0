"""What a model's output holds: a value per event or per sequence, and how many."""

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
    """`count` outputs for each sequence, or for each event of it. `steps`: they are steps of a forecast, so many, with
    count / steps outputs each. `names`: of the outputs, where something names them.
    """

    per_event: bool
    count: int
    steps: int = 0
    names: tuple[str, ...] = ()

    @property
    def classes(self) -> bool:
        """Whether outputs are alternatives, as far as their shape tells."""
        return self.count > 1 and not self.steps

    @property
    def numbered_names(self) -> tuple[str, ...]:
        """Names by number: `step1` is the first step ahead."""
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
    """Reads the output's shapes, by the number of events they were seen at; axes of 1 do not count.

    (n, 12, 1) is a forecast of twelve steps. One fixed length alone does not tell (n, 8) events from (n, 8)
    classes, nor (n, 8, 2) events from steps ahead: then `per_event` decides, or the number of `targets` (0: not
    said), as a schema says it.
    Raises InvalidInput: MODEL_OUTPUT_UNSUPPORTED for other shapes, MODEL_TOO_LARGE past the limit of columns,
    SCHEMA_NEEDED where nothing decides, SCHEMA_DOES_NOT_FIT where the schema says otherwise.
    """
    shape = next(iter(shapes.values()))
    over_time = all(len(seen) > 1 and seen[1] == length for length, seen in shapes.items())
    if over_time and len(shapes) == 1:
        over_time = _as_said(shape, output, per_event_from_targets(shape, per_event, targets), path)
    elif (
        per_event is None
        and not targets
        and len(shapes) == 1
        and 1 < next(iter(shapes)) == shape[-1] != shape[1]
    ):
        _ask_for_steps(shape, output, path)
    elif per_event is not None and per_event != over_time:
        held = "a step for each event" if over_time else "no step for each event"
        text = f"per_event: is {str(per_event).lower()}, but output {output!r} has {held}"
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    rests = {seen[2:] if over_time else seen[1:] for seen in shapes.values()}
    rest = rests.pop()
    wide = [size for size in rest if size != 1]
    if rests or len(wide) > 2 - over_time:
        raise InvalidInput.at(path, "MODEL_OUTPUT_UNSUPPORTED", _unsupported(shapes, output))
    count = math.prod(wide)
    if not 1 <= count <= limits.max_columns:
        text = f"output {output!r} has {count} columns, must be from 1 to the limit of {limits.max_columns}"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)
    return OutputLayout(over_time, count, 0 if over_time else forecast_steps(rest, output))


def steps_are_last(shapes: Mapping[int, Shape], per_event: bool | None, targets: int) -> bool:
    """Whether an output (n, targets, events) has its steps for events along the last axis, as convolutions give them.

    One fixed length alone does not tell; then a schema decides by `per_event`, or by its number of `targets`.
    """
    last = all(len(seen) == 3 and seen[2] == length for length, seen in shapes.items())
    second = all(len(seen) > 1 and seen[1] == length for length, seen in shapes.items())
    if not last or second:
        return False
    said = per_event is True or (per_event is None and next(iter(shapes.values()))[1] == targets)
    return said or len(shapes) > 1


def forecast_steps(rest: Shape, output: str) -> int:
    """Steps of a forecast (n, steps, outputs), or of (n, steps) where the output's name says that it is one; else 0."""
    is_forecast = len(rest) > 1 or (len(rest) == 1 and FORECAST_NAME.search(output))
    return rest[0] if is_forecast and rest[0] > 1 else 0


def _unsupported(shapes: Mapping[int, Shape], output: str) -> str:
    shown = ", ".join(f"{seen} for {length} events" for length, seen in shapes.items())
    text = f"output {output!r} is neither (n), (n, outputs), (n, steps, outputs), (n, events) nor "
    text += (
        f"(n, events, outputs): {shown}; name another output in a schema, or export the model with one of "
    )
    return text + "these shapes"


def per_event_from_targets(shape: Shape, per_event: bool | None, targets: int) -> bool | None:
    """`per_event`, or what the number of targets tells of it: so many outputs for each event, or in all."""
    if per_event is not None or not targets or shape[1] == 1:
        return per_event
    each = math.prod(shape[2:])
    return {each: True, each * shape[1]: False}.get(targets)


def _ask_for_steps(shape: Shape, output: str, path: str) -> None:
    """Of (n, 1, 8) where the model takes eight events; (n, 8) is asked for elsewhere."""
    shown = ", ".join(map(str, ("n", *shape[1:])))
    text = f"output {output!r} of shape ({shown}) may have a step for each of {shape[-1]} events along its last axis, "
    text += f'or {shape[-1]} outputs; say "per_event": true or false in a schema'
    raise InvalidInput.at(path, "SCHEMA_NEEDED", text)


def _as_said(shape: Shape, output: str, per_event: bool | None, path: str) -> bool:
    if per_event is None and shape[1] > 1:
        shown = ", ".join(map(str, ("n", *shape[1:])))
        what = "classes" if len(shape) == 2 else "steps of a forecast"
        text = (
            f"output {output!r} of shape ({shown}) may be one step for each event, or {shape[1]} {what}; say "
        )
        text += '"per_event": true or false in a schema'
        raise InvalidInput.at(path, "SCHEMA_NEEDED", text)
    return bool(per_event)
