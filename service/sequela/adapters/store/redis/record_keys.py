"""The keys of explanations in Redis, and the members of their indexes.

    record:{name}           the record, and the key under which it can be reused as an answer
    answer:{key}            the name of the explanation that answers requests with this key
    body:{{digest}}         the bytes of a body
    users:{{digest}}        the records that use it, by the time when they expire
    hours:{scope}           the hours for which the scope has an index, by the time when they expire
    made:{scope}:{hour}     the records that were made in that hour, newest first
    deletions               what was deleted, and when

A scope is `all`, or the digest of a caller id or of a label with its value. An index expires as a whole. Its members
begin with the time, which counts down, and the name; the record follows, so that a page needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sequela.adapters.store.scopes import ALL, selector_digest
from sequela.adapters.store.timestamps import microseconds
from sequela.explain.explanation_query import CallerSelector, Filter, LabelSelector
from sequela.explain.explanation_summary import ExplanationSummary

HOUR_MICROSECONDS = 3_600_000_000

_NAME_END, _AFTER_NAME = b"\x00", b"\x01"
"""The byte that ends the name in a member, which sorts before all characters of names, and the byte after it."""

_COUNTDOWN_FROM = 1 << 63
"""More microseconds than from 1970 to any date, so that the difference is positive and has 16 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """The keys below a namespace."""

    namespace: str

    def record(self, name: str) -> str:
        """Returns the key of a record."""
        return f"{self.namespace}record:{name}"

    def answer(self, key: str) -> str:
        """Returns the key of an answer."""
        return f"{self.namespace}answer:{key}"

    def body(self, digest: str) -> tuple[str, str]:
        """Returns the keys of a body and of its users, which share a slot of a cluster."""
        return f"{self.namespace}body:{{{digest}}}", f"{self.namespace}users:{{{digest}}}"

    def hours(self, scope: str) -> str:
        """Returns the key of the hours of a scope."""
        return f"{self.namespace}hours:{scope}"

    def made(self, scope: str, hour: int) -> str:
        """Returns the key of the index of an hour."""
        return f"{self.namespace}made:{scope}:{hour:x}"

    @property
    def deletions(self) -> str:
        """The key of the log of deletions."""
        return f"{self.namespace}deletions"


def filter_scope(wanted: Filter) -> str:
    """Returns the scope with the fewest records that has all that a filter may match."""
    if wanted.caller_id:
        return selector_digest(CallerSelector(wanted.caller_id))
    for key, value in sorted((wanted.labels or {}).items()):
        return selector_digest(LabelSelector(key, value))
    return ALL


def hour_of(time: datetime) -> int:
    """Returns the hour since 1970."""
    return microseconds(time) // HOUR_MICROSECONDS


def countdown(time: datetime) -> str:
    """Returns the time as text that sorts the latest first."""
    # Hexadecimal numbers of equal length sort as text in the order of their values.
    return f"{_COUNTDOWN_FROM - microseconds(time):016x}"


def member(summary: ExplanationSummary, sealed: bytes) -> bytes:
    """Returns the member of an index: where it stands, then the sealed record."""
    return f"{countdown(summary.create_time)}|{summary.name}".encode() + _NAME_END + sealed


def member_place(listed: bytes) -> bytes:
    """Returns a text between this member of an index and the next one."""
    place, found, _ = listed.partition(_NAME_END)
    return place + _AFTER_NAME if found else listed


def member_sealed(listed: bytes) -> bytes:
    """Returns the sealed record of a member; foreign bytes if another program wrote it."""
    return listed.partition(_NAME_END)[2]


def join_answer_key(answer_key: str | None, sealed: bytes) -> bytes:
    """Returns the value of a record's key: the key of its answer, which may be empty, and the sealed record."""
    return (answer_key or "").encode() + b"\n" + sealed


def sealed_part(value: bytes) -> bytes:
    """Returns the sealed record in such a value."""
    return value.partition(b"\n")[2]
