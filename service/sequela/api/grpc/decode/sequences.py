"""Decodes the sequences of `sequela.v1`, and the caller's notes on their events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from google.protobuf.timestamp_pb2 import Timestamp
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.grpc.decode.tensors import arrays
from sequela.api.violations import Violations, quote_value
from sequela.explain.limits import Limits
from sequela.explain.request import EventInfo, GivenSequence, InputPaths

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOS_PER_SECOND = 1_000_000_000


def sequence(message: pb.Sequence, path: str, violations: Violations, limits: Limits) -> GivenSequence:
    """Decodes the sequence at `path`, and adds any violations."""
    if not message.inputs:
        violations.add(
            f"{path}.inputs", "SEQUENCE_EMPTY", "contains no tensor; send one for each input of the model"
        )
    inputs = arrays(message.inputs, f"{path}.inputs", violations, limits)
    events = len(message.events)
    if events > limits.max_events:
        violations.add(
            f"{path}.events",
            "TOO_MANY_EVENTS",
            f"{events} entries exceed the limit of {limits.max_events} events (--max-events)",
        )
        # The entries are not decoded, because there may be any number of them.
        return GivenSequence(inputs, paths=InputPaths(path))
    infos = tuple(
        _event(each, f"{path}.events[{i}]", violations, limits) for i, each in enumerate(message.events)
    )
    _check_order(infos, f"{path}.events", violations)
    return GivenSequence(inputs, infos, InputPaths(path))


def texts(field: Mapping[str, str], path: str, violations: Violations, limits: Limits) -> dict[str, str]:
    """Decodes a map of short strings, such as labels."""
    if len(field) > limits.max_labels:
        violations.add(
            path,
            "TOO_MANY_TEXTS",
            f"{len(field)} entries exceed the limit of {limits.max_labels} (--max-labels)",
        )
        return {}
    found = dict(field.items())
    # Paths are only written if one of the texts is too long: alerts have some hundred texts.
    if max(map(len, (*found, *found.values())), default=0) > limits.max_text:
        # Maps of protobuf have no order. Sorting makes the violations of equal requests equal.
        for key, value in sorted(found.items()):
            violations.text(f"{path}[{quote_value(key)}]", key, limits.max_text)
            violations.text(f"{path}[{quote_value(key)}]", value, limits.max_text)
    return found


def moment(message: Timestamp, path: str, violations: Violations) -> datetime | None:
    """Decodes a time in UTC, to the microsecond. Returns None and adds a violation if it is out of range."""
    try:
        if not 0 <= message.nanos < _NANOS_PER_SECOND:
            raise ValueError(message.nanos)
        # `Timestamp.ToDatetime` does the same in twice the time, which an alert with notes takes for every event.
        return _EPOCH + timedelta(0, message.seconds, message.nanos // 1000)
    except (ValueError, OverflowError):
        violations.add(
            path, "TIME_INVALID", f"{message.seconds} s {message.nanos} ns is not a time from year 1 to 9999"
        )
        return None


def _check_order(infos: Sequence[EventInfo], path: str, violations: Violations) -> None:
    """Adds a violation if times only run backwards, because the newest event was probably sent first.

    Times that go both ways are accepted, since events may be recorded out of order.
    """
    times = [info.time for info in infos if info.time is not None]
    backwards = all(later <= earlier for earlier, later in pairwise(times))
    if backwards and times and times[-1] < times[0]:
        violations.add(
            path,
            "EVENTS_NEWEST_FIRST",
            f"the times run backwards, from {times[0]:%Y-%m-%d %H:%M:%S} to {times[-1]:%Y-%m-%d %H:%M:%S}; send the "
            "oldest event first, or omit the times",
        )


def _event(message: pb.EventInfo, path: str, violations: Violations, limits: Limits) -> EventInfo:
    # Texts of a message that is shorter than a text may be need not be measured one by one.
    if message.ByteSize() <= limits.max_text and len(message.display) <= limits.max_labels:
        time = moment(message.time, f"{path}.time", violations) if message.HasField("time") else None
        return EventInfo(message.id, time, dict(message.display.items()))
    return EventInfo(
        violations.text(f"{path}.id", message.id, limits.max_text),
        moment(message.time, f"{path}.time", violations) if message.HasField("time") else None,
        texts(message.display, f"{path}.display", violations, limits),
    )
