"""The records that observers get, one for each thing that happened. Durations are in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.explain.explanation import Explanation


@dataclass(frozen=True, slots=True)
class BatchEvaluated:
    """A model was called once, for so many rows."""

    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StageDone:
    """A step of an explanation ended: resolve, score, prune, or a level by its name."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class ExplanationFinished:
    """A request was answered or failed.

    Attributes:
        outcome: `ok`, `cached`, `cut_short`, `below_minimum`, or the reason of the error.
        seconds: The time that it took.
        explanation: The answer; None after an error.
    """

    outcome: str
    seconds: float
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class CacheLookup:
    """A lookup in a cache.

    Attributes:
        cache: `background`, `explanation` or `model`.
        result: `hit`, `miss` or `error`.
        seconds: The time that it took.
    """

    cache: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StoreState:
    """The shared store became unavailable or available again."""

    up: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EndpointCalled:
    """A call to an endpoint ended: `ok`, or the reason of its error. `endpoint` is the operator's name for it, or
    `request` for all that requests name: labels stay few.
    """

    endpoint: str
    rows: int
    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True)
class EndpointWindow:
    """How many calls to an endpoint may be under way at a time now."""

    endpoint: str
    calls: int


@dataclass(frozen=True, slots=True)
class CircuitState:
    """A circuit breaker opened or closed."""

    target: str
    closed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call: its kind (unary, client_stream, server_stream, bidi_stream), full service name and method."""

    kind: str
    service: str
    method: str


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call came in."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallHandled:
    """A call ended with a canonical code, such as OK or NOT_FOUND."""

    call: Call
    code: str
    seconds: float


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message of a call came in."""

    call: Call


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message of a call went out."""

    call: Call


@dataclass(frozen=True, slots=True)
class HttpHandled:
    """An inference request over HTTP ended: its route with placeholders for names, its method, and the code."""

    route: str
    method: str
    code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ExecutorState:
    """How many pieces of work wait for a thread of an executor, and how many run."""

    executor: str
    waiting: int
    running: int


@dataclass(frozen=True, slots=True)
class RequestRejected:
    """A request was refused before any work was done.

    Attributes:
        where: The name of the executor that refused it (`explain`, `remote` or `lookup`), or `bodies`, which is the
            memory that the bodies of HTTP requests share.
        reason: QUEUE_FULL, DEADLINE_TOO_SHORT or DRAINING.
    """

    where: str
    reason: str


ApiRecord = (
    CallStarted | CallHandled | MessageReceived | MessageSent | HttpHandled | ExecutorState | RequestRejected
)
EndpointRecord = EndpointCalled | EndpointWindow | CircuitState
Record = (
    BatchEvaluated | StageDone | ExplanationFinished | CacheLookup | StoreState | EndpointRecord | ApiRecord
)
