"""Requests, built from what the caller handed in. Nothing here sends anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.enums import member
from sequela_client.errors import CallerError
from sequela_client.inputs import (
    BackgroundLike,
    BackgroundValues,
    EventInfo,
    Sequence,
    SequenceLike,
    Values,
    as_sequence,
    by_name,
)
from sequela_client.options import target_names
from sequela_client.tables import Table, as_row, as_table, is_table
from sequela_client.tensors import input_tensors

Average = Literal["mean", "median"]
BackgroundShape = Literal["event", "sequence"]


def sequence_message(given: SequenceLike) -> pb.Sequence:
    """The values, and what people read about the events: the caller's, or else what a table's index says."""
    sequence = as_sequence(given)
    tables = {name: as_table(name, values) for name, values in by_name(sequence.inputs).items()}
    events = sequence.events or _indexed(tables)
    return pb.Sequence(inputs=input_tensors(tables), events=[_event(info) for info in events])


def _indexed(tables: Mapping[str, Table]) -> tuple[EventInfo, ...]:
    """The events as the tables' indices name them. Raises CallerError where two of them differ."""
    known = {(table.times, table.ids) for table in tables.values() if table.times or table.ids}
    if not known:
        return ()
    if len(known) > 1:
        text = f"{', '.join(tables)}: their indices differ, so the times or ids of the events do too"
        raise CallerError(text, reason="INDICES_DIFFER")
    times, ids = known.pop()
    return tuple(EventInfo(id or "", time) for time, id in zip_longest(times, ids))


def explain(
    given: SequenceLike,
    options: pb.ExplainOptions,
    caller_id: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> pb.ExplainRequest:
    """A question without model and background. A `Sequence` brings its id and labels; arguments go first."""
    sequence = as_sequence(given)
    return pb.ExplainRequest(
        sequence=sequence_message(sequence),
        options=options,
        caller_id=text("caller_id", sequence.id if caller_id is None else caller_id),
        labels={**texts("labels", sequence.labels), **texts("labels", labels or {})},
    )


def text(field: str, value: object) -> str:
    """A string as it is. Raises CallerError (ARGUMENT_INVALID) for anything else, which names the field."""
    if not isinstance(value, str):
        raise CallerError(f"{field}: must be a string, not {_shown(value)}", reason="ARGUMENT_INVALID")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise CallerError(
            f"{field}: {value!a} is not valid Unicode text", reason="ARGUMENT_INVALID"
        ) from None
    return value


def texts(field: str, values: object) -> dict[str, str]:
    """A mapping of strings as it is. Raises CallerError (ARGUMENT_INVALID) for anything else."""
    if not isinstance(values, Mapping):
        raise CallerError(f"{field}: must be a mapping, not {_shown(values)}", reason="ARGUMENT_INVALID")
    return {text(f"{field} key", key): text(f"{field}[{key!r}]", value) for key, value in values.items()}


def _shown(value: object) -> str:
    return f"{repr(value)[:40]} of type {type(value).__name__}"


def score(
    sequences: SequenceLike | Iterable[SequenceLike],
    targets: Iterable[str | int] | str | int | None,
    output_event: int | None,
) -> pb.ScoreRequest:
    """A request for scores without its model."""
    return pb.ScoreRequest(
        sequences=map(sequence_message, _several(sequences)),
        targets=target_names(targets),
        output_event=output_event,
    )


def background_reference(given: BackgroundLike) -> pb.BackgroundReference | None:
    """Which background: by name, by its values, or None for the model's default."""
    if given is None:
        return None
    if isinstance(given, str):
        return pb.BackgroundReference(name=given)
    return pb.BackgroundReference(values=background_values(given))


def background_values(given: BackgroundValues | Values) -> pb.BackgroundValues:
    """Background values, with or without a mean event."""
    if not isinstance(given, BackgroundValues):
        given = BackgroundValues(given)
    mean = [] if given.mean_event is None else input_tensors(_rows(given.mean_event))
    return pb.BackgroundValues(inputs=input_tensors(_rows(given.rows)), mean_event=mean)


def _rows(values: Values) -> dict[str, Table]:
    return {name: as_row(name, each) for name, each in by_name(values).items()}


def background_header(
    name: str, average: Average | None = None, shape: BackgroundShape | None = None
) -> pb.CreateBackgroundHeader:
    """The first message of a background, without its model. `name` is the last part, or empty."""
    header = pb.CreateBackgroundHeader(name=name)
    if average is not None:
        header.average = member(pb.Average, "average", average)
    if shape is not None:
        header.shape = member(pb.BackgroundShape, "shape", shape)
    return header


def averaged(given: SequenceLike) -> pb.CreateBackgroundRequest:
    """One sequence to average."""
    return pb.CreateBackgroundRequest(sequence=sequence_message(given))


def list_explanations(
    caller_id: str,
    model: str,
    labels: Mapping[str, str] | None,
    start: datetime | None,
    end: datetime | None,
    page_size: int,
) -> pb.ListExplanationsRequest:
    """The first page's request."""
    return pb.ListExplanationsRequest(
        page_size=page_size,
        caller_id=text("caller_id", caller_id),
        model=text("model", model),
        labels=texts("labels", labels or {}),
        start_time=_timestamp("start", start),
        end_time=_timestamp("end", end),
    )


def _several(sequences: SequenceLike | Iterable[SequenceLike]) -> Iterable[SequenceLike]:
    """One array or list (l, d), table, mapping or Sequence is one sequence; any other iterable holds several."""
    one = isinstance(sequences, Sequence | Mapping) or is_table(sequences) or _axes(sequences) in (1, 2)
    return [sequences] if one else sequences  # type: ignore[list-item,return-value]


def _axes(values: Any) -> int | None:
    """Axes of an array, a tensor or a list of lists of numbers; None for a list of anything else."""
    if isinstance(values, list | tuple):
        first = values[0] if values else None
        inner = 0 if isinstance(first, int | float | np.number) else None
        inner = _axes(first) if isinstance(first, list | tuple) else inner
        return None if inner is None else inner + 1
    return getattr(values, "ndim", None)


def _event(info: EventInfo) -> pb.EventInfo:
    if not isinstance(info, EventInfo):
        raise CallerError(
            f"events: must be EventInfo, not {type(info).__name__}; write EventInfo(id=..., time=..., display=...)",
            reason="ARGUMENT_INVALID",
        )
    return pb.EventInfo(
        id=text("events.id", info.id),
        time=_timestamp("events.time", info.time),
        display=texts("events.display", info.display),
    )


def _timestamp(field: str, time: datetime | None) -> Timestamp | None:
    """A time without a zone is local time, as everywhere in Python."""
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise CallerError(
            f"{field}: must be a datetime, not {_shown(time)}; write datetime.fromisoformat(...)",
            reason="ARGUMENT_INVALID",
        )
    stamp = Timestamp()
    stamp.FromDatetime(time.astimezone(UTC))
    return stamp
