"""Spans: what a request did and for how long, as parts of the trace that its caller began (W3C Trace Context).

A span is recorded only while a request is traced. Otherwise `span` costs one look at a context variable. Threads and
tasks that copy the context of a request record into its trace.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

Value = str | int | float | bool
Attributes = dict[str, Value]

MAX_SPANS = 1000
"""The most spans of one request. A stream or a slow endpoint could have any number of them."""
MAX_STATE_LENGTH = 512
"""The longest header `tracestate` that is passed on, in characters. W3C asks for at least this many."""
TRACE_PARENT, TRACE_STATE = "traceparent", "tracestate"
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_TRACE_STATE = re.compile(r"[\x20-\x7e]*")
_SAMPLED = 1


class SpanKind(StrEnum):
    """The side of a call that a span shows."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class SpanContext:
    """Identifies a span: 32 and 16 hexadecimal digits, whether it is recorded, and what other tracers add."""

    trace_id: str
    span_id: str
    sampled: bool
    state: str = ""

    @classmethod
    def of_headers(cls, headers: Mapping[str, str]) -> SpanContext | None:
        """Returns the span of the caller, or None if the headers name none that is valid."""
        found = _TRACE_PARENT.fullmatch(headers.get(TRACE_PARENT, ""))
        # Version 00 has four fields; later ones may have more.
        if found is None or (found[0].startswith("00") and found[4]):
            return None
        trace_id, span_id, flags = found[1], found[2], int(found[3], 16)
        if not (int(trace_id, 16) and int(span_id, 16)):
            return None
        state = headers.get(TRACE_STATE, "")
        usable = len(state) <= MAX_STATE_LENGTH and _TRACE_STATE.fullmatch(state)
        return cls(trace_id, span_id, bool(flags & _SAMPLED), state if usable else "")

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Returns the headers of a call that this span makes."""
        parent = (TRACE_PARENT, f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}")
        return (parent, (TRACE_STATE, self.state)) if self.state else (parent,)


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended.

    Attributes:
        name: What was done; one of few values.
        kind: The side of a call that it shows.
        context: Its identity.
        parent_id: The span that it is a part of; empty for the first one of a trace.
        start_ns: When it began, in nanoseconds since 1970.
        end_ns: When it ended.
        attributes: What was done in particular.
        error: The reason of the error that ended it; empty if none did.
    """

    name: str
    kind: SpanKind
    context: SpanContext
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: Attributes = field(default_factory=dict)
    error: str = ""


Sink = Callable[[Span], None]
"""Receives spans that have ended, from any thread. It must neither raise nor block."""


class _Recorder:
    """Receives the spans of one request, up to `MAX_SPANS`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.count = 0

    def take(self, ended: Span) -> None:
        self.count += 1  # two threads may lose a count, which matters to nobody
        # The request's own span comes last, and is never left out.
        if self.count <= MAX_SPANS or ended.kind is SpanKind.SERVER:
            self._sink(ended)


@dataclass(frozen=True, slots=True)
class _Current:
    context: SpanContext
    recorder: _Recorder | None


_current: ContextVar[_Current | None] = ContextVar("span", default=None)


def span(
    name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, Value] = MappingProxyType({})
) -> AbstractContextManager[Attributes]:
    """Records what the body does, if the request is traced. The body may add to the attributes."""
    current = _current.get()
    if current is None or current.recorder is None:
        return nullcontext({})
    context = replace(current.context, span_id=new_span_id())
    return _record(name, kind, context, current.context.span_id, current.recorder, dict(attributes))


@contextmanager
def continued(context: SpanContext, sink: Sink) -> Iterator[None]:
    """Makes spans of the body parts of a span that somebody else records, such as another process."""
    recorder = _Recorder(sink) if context.sampled else None
    before = _current.set(_Current(context, recorder))
    try:
        yield
    finally:
        _current.reset(before)


class RequestSpans(Protocol):
    """Begins the spans of requests."""

    def request(self, name: str, parent: SpanContext | None) -> AbstractContextManager[Attributes]:
        """Makes the body the span of a request, and spans within it parts of that.

        Args:
            name: The method, or the verb and the route.
            parent: The caller's span; None if the caller named none.
        """


class NoSpans:
    """Implements `RequestSpans` for a server that records none."""

    def request(self, *_: object) -> AbstractContextManager[Attributes]:
        """See `RequestSpans`."""
        return nullcontext({})


NO_SPANS: RequestSpans = NoSpans()


@dataclass(frozen=True, slots=True)
class SampledSpans:
    """Implements `RequestSpans`: records the requests that are sampled, and passes the context of others on.

    Attributes:
        sink: Receives the spans.
        is_sampled: Decides, from the caller's span, the id of the trace, and the name of the request's span.
    """

    sink: Sink
    is_sampled: Callable[[SpanContext | None, str, str], bool]

    def request(self, name: str, parent: SpanContext | None) -> AbstractContextManager[Attributes]:
        """See `RequestSpans`."""
        trace_id = parent.trace_id if parent else new_trace_id()
        if not self.is_sampled(parent, trace_id, name):
            context = (
                replace(parent, sampled=False) if parent else SpanContext(trace_id, new_span_id(), False)
            )
            return _passed_on(context)
        state, parent_id = (parent.state, parent.span_id) if parent else ("", "")
        context = SpanContext(trace_id, new_span_id(), True, state)
        return _record(name, SpanKind.SERVER, context, parent_id, _Recorder(self.sink), {})


def adopt(spans: Iterable[Span]) -> None:
    """Records spans of another process, if they belong to the trace of the current request."""
    current = _current.get()
    if current is None or current.recorder is None:
        return
    for each in spans:
        if each.context.trace_id == current.context.trace_id:
            current.recorder.take(each)


def current_context() -> SpanContext | None:
    """Returns the identity of the span that the caller's code is a part of; None if the request is not traced."""
    current = _current.get()
    return current.context if current else None


def outgoing_headers() -> tuple[tuple[str, str], ...]:
    """Returns the headers that make a call to another server a part of the trace; none if there is no trace."""
    context = current_context()
    return context.headers() if context else ()


def exemplar() -> dict[str, str] | None:
    """Returns the labels that lead from a measurement to its trace; None if that is not recorded."""
    context = current_context()
    return {"trace_id": context.trace_id} if context and context.sampled else None


def new_trace_id() -> str:
    """Returns a random trace id."""
    return os.urandom(16).hex()


def new_span_id() -> str:
    """Returns a random span id."""
    return os.urandom(8).hex()


@contextmanager
def _passed_on(context: SpanContext) -> Iterator[Attributes]:
    before = _current.set(_Current(context, None))
    try:
        yield {}
    finally:
        _current.reset(before)


@contextmanager
def _record(
    name: str,
    kind: SpanKind,
    context: SpanContext,
    parent_id: str,
    recorder: _Recorder,
    attributes: Attributes,
) -> Iterator[Attributes]:
    before = _current.set(_Current(context, recorder))
    start_ns, start, error = time.time_ns(), time.perf_counter_ns(), ""
    try:
        yield attributes
    except BaseException as raised:
        error = str(getattr(raised, "reason", "")) or type(raised).__name__
        raise
    finally:
        _current.reset(before)
        end_ns = start_ns + time.perf_counter_ns() - start
        recorder.take(Span(name, kind, context, parent_id, start_ns, end_ns, attributes, error))
