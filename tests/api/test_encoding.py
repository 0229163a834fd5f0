"""What leaves the door says what the domain said, field by field."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from api.made import QUALITY, explanation
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from sequela.api.encode.explanations import summary
from sequela.contract.explanation_reader import read_explanation
from sequela.contract.explanations import content_bytes, request_bytes
from sequela.contract.explanations import explanation as encoded
from sequela.explain.explanation import Attribution, Cost, Explanation, LevelQuality
from sequela.explain.explanation_summary import summarize
from sequela.timeshap.players import PlayerKind
from sequela_proto.v1 import sequela_pb2 as pb

RENAMED = {(LevelQuality, "seconds"): "time", (Cost, "stage_seconds"): "stage_times"}


def test_every_field_arrives() -> None:
    """Each field of the domain's explanation is found under its name in the message, with its value."""
    compare(explanation(), encoded(explanation()))


def test_every_field_is_read_back() -> None:
    """What the store reads is what was encoded, whole and as content with the part of the request behind it."""
    made = explanation()
    assert read_explanation(encoded(made)) == made
    parts = content_bytes(made) + request_bytes(made)
    assert read_explanation(pb.Explanation.FromString(parts)) == made
    bare = replace(made, pruning=None, levels={}, options=replace(made.options, estimator=None))
    assert read_explanation(encoded(bare)) == bare


def test_a_summary_repeats_the_explanation() -> None:
    """A summary's fields are those of the whole."""
    whole, line = encoded(explanation()), summary(summarize(explanation()))
    for field in line.DESCRIPTOR.fields:
        source = whole.pruning if field.name == "pruned_events" else whole
        assert getattr(line, field.name) == getattr(source, field.name)


def test_what_is_unset_stays_unset() -> None:
    """Levels that were not asked for, options without a value: no field is there."""
    made = explanation()
    options = replace(made.options, minimum_score=None, top_k_events=None, top_k_features=None)
    levels = {name: made.levels[name] for name in ("event", "feature")}
    message = encoded(replace(made, pruning=None, levels=levels, options=options))
    assert not message.HasField("pruning")
    assert not message.HasField("cell_level")
    assert not any(
        message.options.HasField(name) for name in ("minimum_score", "top_k_events", "top_k_features")
    )


def compare(item: Any, message: Any) -> None:
    """Walks both trees at once."""
    for field in fields(item):
        value = getattr(item, field.name)
        name = RENAMED.get((type(item), field.name), field.name)
        if isinstance(item, Attribution) and field.name in ("first_event", "last_event"):
            compare_events(item, message)
        elif isinstance(item, Explanation) and field.name == "levels":
            for level, each in value.items():
                compare(each, getattr(message, f"{level}_level"))
        else:
            same(value, getattr(message, name), message.DESCRIPTOR.fields_by_name[name])


def compare_events(item: Attribution, message: Any) -> None:
    """One event, or the two ends of a block, and never both."""
    single = item.kind in (PlayerKind.EVENT, PlayerKind.CELL, PlayerKind.EVENT_REST)
    assert message.HasField("event") == (single and item.first_event is not None)
    assert message.HasField("first_event") == (not single and item.first_event is not None)
    assert (message.event if single else message.first_event) == (item.first_event or 0)


def same(value: Any, found: Any, field: FieldDescriptor) -> None:
    if is_dataclass(value):
        compare(value, found)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        assert len(value) == len(found)
        for each, other in zip(value, found, strict=True):
            compare(each, other)
    elif isinstance(value, tuple):
        assert [plain(each, field) for each in value] == list(found)
    elif isinstance(value, dict) and all(isinstance(each, float) for each in value.values()):
        assert value == {key: seconds(each) for key, each in found.items()}
    elif value is not None:
        assert plain(value, field) == (found if not isinstance(found, Message) else unpacked(found))


def plain(value: Any, field: FieldDescriptor) -> Any:
    """An enum's number is found by its name: PREFIX_MEMBER."""
    if isinstance(value, StrEnum):
        assert field.enum_type
        names = {item.name: item.number for item in field.enum_type.values}
        return next(number for name, number in names.items() if name.endswith(f"_{value.name}"))
    return value


def unpacked(message: Message) -> datetime | float:
    if isinstance(message, Timestamp):
        return message.ToDatetime(UTC)
    assert isinstance(message, Duration)
    return seconds(message)


def seconds(message: Duration) -> float:
    return message.ToNanoseconds() / 1e9


def test_the_made_quality_is_whole() -> None:
    """The sample leaves no field at its default, so that a forgotten one is noticed."""
    assert all(getattr(QUALITY, field.name) not in (0, "", (), False, None) for field in fields(QUALITY))
