"""What an engine sends when it has finished a task: the answer, what is to be stored, and what was measured.

The server reads it without unpickling anything, and refuses whatever does not have this form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic_core import to_json

from sequela.adapters.store.envelope import Unreadable
from sequela.adapters.store.ports import Record
from sequela.adapters.store.serialization import (
    decode_background,
    encode_background,
    pack_record,
    unpack_record,
)
from sequela.explain.background import Background
from sequela.explain.ports import Observer
from sequela.explain.telemetry import (
    BatchesEvaluated,
    CacheLookup,
    EntrySkipped,
    ExplanationFinished,
    StageDone,
)
from sequela.model_engines.error_form import ErrorForm
from sequela.model_engines.frames import FormInvalid, join_parts, split_parts
from sequela.spans import Span, adopt


@dataclass(slots=True)
class TaskTelemetry:
    """The records of a task for observers, in one piece. `rows` and `seconds` are those of each call of the model.

    `spans` are those of the engine, if the request is traced.
    """

    rows: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stages: list[StageDone] = field(default_factory=list)
    lookups: list[CacheLookup] = field(default_factory=list)
    skips: list[EntrySkipped] = field(default_factory=list)
    finished: list[ExplanationFinished] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def tell(self, observer: Observer) -> None:
        """Passes everything on."""
        adopt(self.spans)
        if self.rows:
            observer.notice(BatchesEvaluated(tuple(self.rows), tuple(self.seconds)))
        told: list[StageDone | CacheLookup | EntrySkipped | ExplanationFinished] = [
            *self.stages,
            *self.lookups,
            *self.skips,
            *self.finished,
        ]
        for record in told:
            observer.notice(record)


@dataclass(frozen=True, slots=True)
class RecordToKeep:
    """An explanation to store: its record, its body, and the key under which it answers; None for no key."""

    record: Record
    body: bytes
    answer_key: str | None


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """The end of a task.

    Attributes:
        answer: The encoded answer; empty after an error.
        error: The error, or None.
        busy: The key that another request works on; the task is then to be sent again later.
        telemetry: The records for observers.
        records: The explanations to store.
        backgrounds: The backgrounds to remember.
    """

    answer: bytes = b""
    error: ErrorForm | None = None
    busy: str = ""
    telemetry: TaskTelemetry = field(default_factory=TaskTelemetry)
    records: tuple[RecordToKeep, ...] = ()
    backgrounds: tuple[Background, ...] = ()

    def pack(self) -> bytes:
        """Returns the outcome as bytes."""
        head = _OutcomeHead(
            self.error, self.busy, self.telemetry, tuple(each.answer_key for each in self.records)
        )
        records = [part for each in self.records for part in (pack_record(each.record), each.body)]
        backgrounds = [encode_background(each) for each in self.backgrounds]
        return join_parts(to_json(head, inf_nan_mode="constants"), self.answer, *records, *backgrounds)

    @classmethod
    def unpack(cls, content: bytes) -> TaskOutcome:
        """Returns the outcome. Raises FormInvalid."""
        try:
            packed, answer, *parts = split_parts(content)
            head = _heads.validate_json(packed)
            edge = 2 * len(head.keys)
            pairs = zip(parts[:edge:2], parts[1:edge:2], head.keys, strict=True)
            records = tuple(RecordToKeep(unpack_record(record), body, key) for record, body, key in pairs)
            backgrounds = tuple(map(decode_background, parts[edge:]))
        except (ValueError, Unreadable) as error:
            raise FormInvalid(str(error)[:500]) from None
        return cls(answer, head.error, head.busy, head.telemetry, records, backgrounds)


@dataclass(frozen=True, slots=True)
class _OutcomeHead:
    error: ErrorForm | None
    busy: Annotated[str, Field(max_length=200)]
    telemetry: TaskTelemetry
    keys: Annotated[tuple[Annotated[str, Field(max_length=200)] | None, ...], Field(max_length=8)]


_heads = TypeAdapter(_OutcomeHead)
