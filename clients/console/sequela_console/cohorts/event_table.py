"""The table of events behind the matrix grid and the graphs, and the bytes in which browsers get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sequela_client.alert_document.json_values import json_value
from sequela_client.errors import CallerError

from sequela_console.cohort_files.open_cohort import OpenCohort, one_of_few
from sequela_console.cohorts.attribute_levels import GridAttribute, attribute_levels
from sequela_console.cohorts.attribute_values import AttributeValues
from sequela_console.cohorts.event_columns import WEIGHT_MAXIMUM, EventColumns, read_events
from sequela_console.cohorts.event_spec import EventSpec, LabelClass, WeightKind
from sequela_console.cohorts.sequence_table import SequenceTable, sequence_table
from sequela_console.http.errors import ApiError

# Events of one table; at 24 bytes each, a browser gets at most 200 MB.
MOST_EVENTS = 8_000_000
_MOST_SHORT_STEPS = 256
_ALIGNMENT = 8


@dataclass(frozen=True, slots=True)
class EventTable:
    """Events of many sequences with their weights and levels.

    Args:
        spec: what it was made with; `variants` names at least one.
        steps: how many steps are shown.
        table: the sequences.
        events: sequence, step and weight of each event.
        attributes: the attributes with their levels.
        levels: the level of each event, attributes × events.
    """

    spec: EventSpec
    steps: int
    table: SequenceTable
    events: EventColumns
    attributes: tuple[GridAttribute, ...]
    levels: NDArray[np.uint8]

    @property
    def bytes_held(self) -> int:
        """About how much memory it takes."""
        return int(self.levels.nbytes + len(self.events.steps) * 18 + len(self.table.rows) * 48)


def event_table(cohort: OpenCohort, spec: EventSpec) -> EventTable:
    """Returns the table of a cohort, from the cache if it is there.

    Raises:
        CallerError: the rows lack what the spec asks for.
        ApiError: 413, there are too many events.
    """
    found: EventTable = cohort.cache.get(
        spec, lambda: _computed(cohort, spec), lambda table: table.bytes_held
    )
    return found


def _computed(cohort: OpenCohort, spec: EventSpec) -> EventTable:
    with one_of_few():
        files = cohort.rows.database.files
        table = sequence_table(files, spec)
        steps = int(min(table.lengths.max(initial=1), spec.steps))
        _check_size(table, steps)
        values = AttributeValues(cohort.features)
        events = read_events(files, table, spec.weight, steps, values)
        if events.unweighted and not len(events.steps):
            raise _no_weights(spec.weight)
        found = [attribute_levels(values, position, spec) for position in range(len(cohort.features))]
        levels = np.array([each for _, each in found], np.uint8).reshape(len(found), len(events.steps))
        return EventTable(spec, steps, table, events, tuple(each for each, _ in found), levels)


def _check_size(table: SequenceTable, steps: int) -> None:
    events = int(np.minimum(table.own, steps).sum())
    if events > MOST_EVENTS:
        raise ApiError(
            413,
            "EVENTS_TOO_MANY",
            f"these sequences have {events:,} events, and a grid shows at most {MOST_EVENTS:,}; choose fewer steps",
        )


def _no_weights(weight: WeightKind) -> CallerError:
    if weight is WeightKind.MODEL:
        return CallerError(
            "the model has no weights of its own; choose attributions as weights",
            reason="EVENT_WEIGHTS_MISSING",
        )
    return CallerError(
        "no row has attributions of events; run sequela explain-all with --level event",
        reason="LEVEL_MISSING",
    )


def header_of(table: EventTable) -> dict[str, Any]:
    """Returns what the browser must know about the columns."""
    positives = int(np.count_nonzero(table.table.classes))
    name, positive, negative = _class_words(table)
    return {
        "version": 1,
        "variants": table.spec.variants,
        "events": len(table.events.steps),
        "sequences": len(table.table.rows),
        "steps": table.steps,
        "stepDtype": "uint8" if table.steps <= _MOST_SHORT_STEPS else "uint16",
        "attributes": [_attribute_of(each) for each in table.attributes],
        "class": {
            "name": name,
            "positive": positive,
            "negative": negative,
            "positives": positives,
            "negatives": len(table.table.rows) - positives,
        },
        "weight": {
            "kind": table.spec.weight.value,
            "text": _WEIGHT_TEXTS[table.spec.weight],
            "maximum": WEIGHT_MAXIMUM,
        },
        "leftOut": _left_out(table),
    }


_WEIGHT_TEXTS = {
    WeightKind.ATTRIBUTION: "size of the event's effect on the score, divided by the largest of its sequence",
    WeightKind.MODEL: "the model's own weight of the event, divided by the largest of its sequence",
}


def _attribute_of(attribute: GridAttribute) -> dict[str, Any]:
    held: dict[str, Any] = json_value(attribute)
    return {name: value for name, value in held.items() if value or name not in ("edges", "note")}


def _class_words(table: EventTable) -> tuple[str, str, str]:
    """Returns what the class is called, and its two values."""
    classes = table.spec.classes
    if isinstance(classes, LabelClass):
        # The one other value is a better name than "not" the positive one.
        others = table.table.negatives
        negative = next(iter(others)) if len(others) == 1 else f"not {classes.positive}"
        return classes.key, classes.positive, negative
    threshold = f"{classes.threshold:g}"
    return "score", f"{threshold} or more", f"below {threshold}"


def _left_out(table: EventTable) -> dict[str, int]:
    """Counts each event that is not in the table once: as too old, else as pruned, else as without a weight."""
    lengths, own = table.table.lengths, table.table.own
    shown = np.minimum(lengths, table.steps)
    return {
        "prunedEvents": int((shown - np.minimum(own, shown)).sum()),
        "sequencesWithoutClass": table.table.without_class,
        "olderEvents": int((lengths - shown).sum()),
        "unmatched": table.table.unmatched,
        "eventsWithoutWeight": table.events.unweighted,
    }


def bytes_of(table: EventTable) -> bytes:
    """Returns the table in the binary form that the browser reads: a header, then the columns."""
    header = orjson.dumps(json_value(header_of(table)))
    header += b" " * (-(4 + len(header)) % _ALIGNMENT)
    steps = np.uint8 if table.steps <= _MOST_SHORT_STEPS else np.uint16
    columns: list[NDArray[Any]] = [
        table.events.sequences.astype("<u4"),
        table.events.weights.astype("<u2"),
        table.events.steps.astype(np.dtype(steps).newbyteorder("<")),
        table.levels,
        table.table.classes.astype(np.uint8),
        table.table.rows.astype("<u4"),
        table.table.variants.astype(np.uint8),
    ]
    return b"".join([len(header).to_bytes(4, "little"), header, *map(_aligned, columns)])


def _aligned(column: NDArray[Any]) -> bytes:
    held = column.tobytes()
    return held + b"\0" * (-len(held) % 4)
