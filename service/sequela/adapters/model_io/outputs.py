"""What a model's output holds: a value per event or per sequence, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sequela.errors import InvalidInput
from sequela.explaining.limits import Limits

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """`count` outputs for each sequence, or for each event of it."""

    per_event: bool
    count: int


def output_layout(
    shapes: Mapping[int, Shape], output: str, per_event: bool | None, limits: Limits, path: str
) -> OutputLayout:
    """Reads the output's shapes, by the number of events they were seen at.

    One fixed length alone does not tell (n, 8) steps from (n, 8) classes: then `per_event` decides, as a
    schema says it.
    Raises InvalidInput: MODEL_OUTPUT_UNSUPPORTED for other shapes, MODEL_TOO_LARGE past the limit of columns,
    SCHEMA_NEEDED where nothing decides, SCHEMA_DOES_NOT_FIT where the schema says otherwise.
    """
    shape = next(iter(shapes.values()))
    steps = all(len(seen) > 1 and seen[1] == length for length, seen in shapes.items())
    widths = {seen[2:] if steps else seen[1:] for seen in shapes.values()}
    if len(widths) > 1 or len(shape) > 3 or (len(shape) == 3 and not steps and shape[1] != 1):
        shown = ", ".join(f"{seen} for {length} events" for length, seen in shapes.items())
        text = (
            f"output {output!r} is neither (n), (n, outputs), (n, events) nor (n, events, outputs): {shown}"
        )
        raise InvalidInput.at(path, "MODEL_OUTPUT_UNSUPPORTED", text)
    if steps and len(shapes) == 1 and len(shape) == 2:
        steps = _as_said(shape, output, per_event, path)
    elif per_event is not None and per_event != steps:
        held = "a step for each event" if steps else "no step for each event"
        text = f"per_event: is {str(per_event).lower()}, but output {output!r} has {held}"
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    count = shape[-1] if len(shape) > 1 + steps else 1
    if not 1 <= count <= limits.max_columns:
        text = f"output {output!r} has {count} columns, must be from 1 to the limit of {limits.max_columns}"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)
    return OutputLayout(steps, count)


def _as_said(shape: Shape, output: str, per_event: bool | None, path: str) -> bool:
    if per_event is None and shape[1] > 1:
        text = (
            f"output {output!r} of shape (n, {shape[1]}) may be events or classes; say per_event in a schema"
        )
        raise InvalidInput.at(path, "SCHEMA_NEEDED", text)
    return bool(per_event)
