"""Builds request messages from the arguments of callers. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import zip_longest
from typing import Any, Literal, SupportsFloat, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import arguments
from sequela_client.arrays import is_missing
from sequela_client.enums import member
from sequela_client.errors import CallerError
from sequela_client.inputs import (
    BackgroundLike,
    BackgroundValues,
    EventInfo,
    SequenceLike,
    Values,
    as_sequence,
    by_name,
)
from sequela_client.option_messages import target_names
from sequela_client.tables import ReadText, Table, as_row, as_table, only_numbers
from sequela_client.tensors import input_tensors

T = TypeVar("T")

Average = Literal["mean", "median"]
BackgroundShape = Literal["event", "sequence"]


def sequence_message(given: SequenceLike, read_text: ReadText = only_numbers) -> pb.Sequence:
    """Returns the message of a sequence, whose events are described by the caller or by the index of a table."""
    sequence = as_sequence(given)
    inputs = by_name(sequence.inputs)
    columns = _columns(sequence.columns, inputs)
    tables = {
        name: _named(as_table(name, values, read_text), columns.get(name, ()))
        for name, values in inputs.items()
    }
    given_events = _event_infos(sequence.events)
    events = given_events or _indexed(tables)
    return pb.Sequence(inputs=input_tensors(tables), events=[_event(info) for info in events])


def _columns(given: Any, inputs: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Returns the names of the columns of arrays. Raises CallerError if they belong to no array."""
    if not isinstance(given, Mapping):
        text = f'columns: must hold names by input, such as {{"x": ("amount", "hour")}}, not {arguments.shown(given)}'
        raise CallerError(text, reason="ARGUMENT_INVALID")
    for name in given:
        if name not in inputs:
            text = f"columns: no array is named {name!r}; write inputs by name, as in {{{name!r}: array}}"
            raise CallerError(text, reason="ARGUMENT_INVALID")
    return {name: tuple(names) for name, names in given.items()}


def _named(table: Table, columns: tuple[str, ...]) -> Table:
    """Returns a table whose columns have names. Its own names come first."""
    return table if table.columns else replace(table, columns=columns)


def _event_infos(events: Any) -> tuple[EventInfo, ...]:
    if isinstance(events, EventInfo) or not isinstance(events, Iterable):
        raise CallerError(
            f"events: must be a list with one EventInfo for each event, not {arguments.shown(events)}",
            reason="ARGUMENT_INVALID",
        )
    return tuple(events)


def _indexed(tables: Mapping[str, Table]) -> tuple[EventInfo, ...]:
    """Returns the events that the indices of the tables describe. Raises CallerError if two indices differ."""
    known = {(table.times, table.ids) for table in tables.values() if table.times or table.ids}
    if not known:
        return ()
    # Two inputs of the same events cannot have different times or ids.
    if len(known) > 1:
        text = f"{', '.join(tables)}: their indices differ, so the times or ids of the events do too. "
        text += "For an input that is not about these events, such as known future values, send an array: .to_numpy()"
        raise CallerError(text, reason="INDICES_DIFFER")
    times, ids = known.pop()
    return tuple(EventInfo(id or "", time) for time, id in zip_longest(times, ids))


def explain(
    given: SequenceLike,
    options: pb.ExplainOptions,
    caller_id: str | None = None,
    labels: Mapping[str, str] | None = None,
    read_text: ReadText = only_numbers,
) -> pb.ExplainRequest:
    """Returns a request without model and background. `caller_id` and `labels` override those of a `Sequence`."""
    sequence = as_sequence(given)
    return pb.ExplainRequest(
        sequence=sequence_message(sequence, read_text),
        options=options,
        caller_id=arguments.string("caller_id", sequence.id if caller_id is None else caller_id),
        labels={
            **arguments.strings("labels", sequence.labels),
            **arguments.strings("labels", {} if labels is None else labels),
        },
    )


def score(
    sequences: SequenceLike | Iterable[SequenceLike],
    targets: Iterable[str | int] | str | int | None,
    output_event: int | None,
    read_text: ReadText = only_numbers,
) -> pb.ScoreRequest:
    """Returns a request for scores, without its model."""
    return pb.ScoreRequest(
        sequences=_messages(sequences, partial(sequence_message, read_text=read_text)),
        targets=target_names(targets),
        output_event=None if output_event is None else arguments.whole_number("output_event", output_event),
    )


def _messages(sequences: Any, make: Callable[[SequenceLike], pb.Sequence]) -> list[pb.Sequence]:
    if arguments.is_one_sequence(sequences):
        return [make(sequences)]
    return [
        arguments.convert_item("sequences", place, make, each)
        for place, each in enumerate(arguments.sequence_list(sequences))
    ]


def background_reference(
    given: BackgroundLike, read_text: ReadText = only_numbers
) -> pb.BackgroundReference | None:
    """Returns a reference to a background by name or with its values; None for the model's default."""
    if given is None:
        return None
    if isinstance(given, str):
        return pb.BackgroundReference(name=given)
    return pb.BackgroundReference(values=background_values(given, read_text))


def background_values(
    given: BackgroundValues | Values, read_text: ReadText = only_numbers
) -> pb.BackgroundValues:
    """Returns the message of background values, with or without a mean event."""
    if not isinstance(given, BackgroundValues):
        given = BackgroundValues(given)
    mean = [] if given.mean_event is None else input_tensors(_rows(given.mean_event, read_text))
    return pb.BackgroundValues(inputs=input_tensors(_rows(given.rows, read_text)), mean_event=mean)


def _rows(values: Values, read_text: ReadText) -> dict[str, Table]:
    return {name: as_row(name or "the background", each, read_text) for name, each in by_name(values).items()}


def background_header(
    name: str, average: Average | None = None, shape: BackgroundShape | None = None
) -> pb.CreateBackgroundHeader:
    """Returns the first message that creates a background, without its model."""
    header = pb.CreateBackgroundHeader(name=arguments.string("name", name))
    if average is not None:
        header.average = member(pb.Average, "average", average)
    if shape is not None:
        header.shape = member(pb.BackgroundShape, "shape", shape)
    return header


def average_message(
    number: int, given: SequenceLike, read_text: ReadText = only_numbers
) -> pb.CreateBackgroundRequest:
    """Returns the message with one of the sequences to average."""
    make = partial(sequence_message, read_text=read_text)
    return pb.CreateBackgroundRequest(sequence=arguments.convert_item("sequences", number, make, given))


def list_explanations(
    caller_id: str,
    model: str,
    labels: Mapping[str, str] | None,
    start: datetime | None,
    end: datetime | None,
    min_score: float | None,
    max_score: float | None,
    page_size: int,
) -> pb.ListExplanationsRequest:
    """Returns the request for the first page of explanations."""
    return pb.ListExplanationsRequest(
        page_size=arguments.whole_number("page_size", page_size),
        caller_id=arguments.string("caller_id", caller_id),
        model=arguments.string("model", model),
        labels=arguments.strings("labels", {} if labels is None else labels),
        start_time=_timestamp("start", start),
        end_time=_timestamp("end", end),
        min_score=_number("min_score", min_score),
        max_score=_number("max_score", max_score),
    )


def _number(field: str, value: float | None) -> float | None:
    if value is None or (isinstance(value, SupportsFloat) and not isinstance(value, bool)):
        return None if value is None else float(value)
    text = f"{field}: must be a number, not {arguments.shown(value)}"
    raise CallerError(text, reason="ARGUMENT_INVALID")


def delete_explanations(
    name: str | None, caller_id: str | None, label: tuple[str, str] | None
) -> pb.DeleteExplanationRequest:
    """Returns the request that deletes explanations. Raises CallerError unless exactly one argument is given."""
    given = {"name": name, "caller_id": caller_id, "label": label}
    if len([value for value in given.values() if value is not None]) != 1:
        text = f"{', '.join(given)}: exactly one of them must say which explanations to delete"
        raise CallerError(text, reason="ARGUMENT_INVALID")
    if label is not None:
        return pb.DeleteExplanationRequest(label=_label(label))
    if caller_id is not None:
        return pb.DeleteExplanationRequest(caller_id=_not_empty("caller_id", caller_id))
    return pb.DeleteExplanationRequest(name=_not_empty("name", name))


def _label(label: Any) -> pb.Label:
    if not isinstance(label, tuple) or len(label) != 2:
        text = f"label: must be a pair (key, value), not {arguments.shown(label)}"
        raise CallerError(text, reason="ARGUMENT_INVALID")
    key, value = label
    return pb.Label(key=_not_empty("label", key), value=arguments.string("label", value))


def _not_empty(field: str, value: Any) -> str:
    # An empty text would mean no filter in a list, and must never mean everything here.
    if text := arguments.string(field, value):
        return text
    raise CallerError(f"{field}: must not be empty", reason="ARGUMENT_INVALID")


def _event(info: EventInfo) -> pb.EventInfo:
    if not isinstance(info, EventInfo):
        raise CallerError(
            f"events: each item must be an EventInfo, not {type(info).__name__}; "
            "write EventInfo(id=..., time=..., display=...)",
            reason="ARGUMENT_INVALID",
        )
    return pb.EventInfo(
        id=arguments.string("events.id", info.id),
        time=_timestamp("events.time", info.time),
        display=arguments.strings("events.display", info.display),
    )


def _timestamp(field: str, time: datetime | None) -> Timestamp | None:
    """Returns the message of a time. A time without a zone is local time, as in Python."""
    if time is None:
        return None
    if not isinstance(time, datetime) or is_missing(time):
        raise CallerError(
            f"{field}: must be a datetime, not {arguments.shown(time)}; write datetime.fromisoformat(...)",
            reason="ARGUMENT_INVALID",
        )
    # pandas warns if nanoseconds are lost; the contract has them, but datetime does not.
    plain = time.to_pydatetime(warn=False) if hasattr(time, "to_pydatetime") else time
    stamp = Timestamp()
    try:
        stamp.FromDatetime(plain.astimezone(UTC))
    except (OverflowError, ValueError):
        problem = f"{field}: {time} is not between the years 1 and 9999 in UTC"
        raise CallerError(problem, reason="ARGUMENT_INVALID") from None
    return stamp
