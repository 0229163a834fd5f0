"""The records that observers receive. Durations are in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchEvaluated:
    """A model was called once, with `rows` rows."""

    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BatchesEvaluated:
    """A model was called several times in an engine: the rows and the seconds of each call."""

    rows: tuple[int, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class StageDone:
    """A step of a request ended. `stage` is decode, resolve, score, prune, the name of a level, encode or store."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """A level that was computed: its seconds, its largest residual and its largest standard error."""

    level: str
    seconds: float
    residual: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class ExplanationFinished:
    """A request was answered or failed.

    Attributes:
        outcome: `ok`, `cached`, `cut_short`, `target_raised`, `below_minimum`, or the reason of the error.
        seconds: The duration of the request.
        pruned_events: The number of pruned events; None if nothing was pruned now.
        levels: The levels that were computed now, and not found in the store.
        explanation: The name of the explanation; empty if there is none.
        caller_id: The id that the caller gave it.
    """

    outcome: str
    seconds: float
    pruned_events: int | None = None
    levels: tuple[LevelFacts, ...] = ()
    explanation: str = ""
    caller_id: str = ""


@dataclass(frozen=True, slots=True)
class CacheLookup:
    """An entry was looked up in a cache.

    Attributes:
        cache: `background`, `explanation` or `model`.
        result: `hit`, `miss` or `error`.
        seconds: The duration of the lookup.
    """

    cache: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class EntrySkipped:
    """A reader skipped an entry of the store. `reason` is `foreign`, `damaged` or `version`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ExplanationNotKept:
    """An explanation was answered but not stored, because the store failed."""


@dataclass(frozen=True, slots=True)
class ExplanationsRemovedEarly:
    """Explanations were removed before they expired, because the store was full."""

    count: int


@dataclass(frozen=True, slots=True)
class ExplanationsOwed:
    """How many explanations wait for the shared store, and how many were dropped since the last such record."""

    count: int
    dropped: int


@dataclass(frozen=True, slots=True)
class StoreState:
    """The store became unavailable or available again."""

    up: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EndpointCalled:
    """A call to an endpoint ended.

    Attributes:
        endpoint: The operator's name for the endpoint, or `request` for any endpoint named by a request. One label for
            all of those keeps the number of time series bounded.
        rows: The number of rows in the call.
        seconds: The duration of the call.
        outcome: `ok`, or the reason of the error.
    """

    endpoint: str
    rows: int
    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True)
class EndpointWindow:
    """The number of calls to an endpoint that may be in flight at once changed to `calls`."""

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
    """A gRPC call: its kind (unary, client_stream, server_stream or bidi_stream), full service name and method."""

    kind: str
    service: str
    method: str


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call was received."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallHandled:
    """A call ended with a canonical code, such as OK or NOT_FOUND."""

    call: Call
    code: str
    seconds: float


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message of a call was received."""

    call: Call


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message of a call was sent."""

    call: Call


@dataclass(frozen=True, slots=True)
class HttpHandled:
    """An HTTP inference request ended. `route` has placeholders for names, and `code` is the HTTP status."""

    route: str
    method: str
    code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StreamItemHandled:
    """An item of an ExplainStream call was answered. `code` is the name of its gRPC status code."""

    code: str


@dataclass(frozen=True, slots=True)
class CredentialsReloaded:
    """Files with certificates, or with the rights of callers, have changed and were read again.

    Attributes:
        source: `tls`, `tokens`, `identities`, `revoked` or `jwt_keys`.
        ok: Whether their new content is in use. If not, the last good content is.
        detail: Why not; or, for content that is in use, what may surprise the operator.
    """

    source: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AuditLineLost:
    """A line of the audit log could not be written."""


@dataclass(frozen=True, slots=True)
class ExecutorState:
    """How many tasks are waiting for a thread of an executor, and how many are running."""

    executor: str
    waiting: int
    running: int


@dataclass(frozen=True, slots=True)
class RequestBegun:
    """An explanation began after it had waited for `seconds` in a queue, `interactive` or `bulk`."""

    queue: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestRejected:
    """A request was refused before any work was done.

    Attributes:
        where: The name of the executor that refused it (`explain`, `remote`, `lookup` or `uploads`), or `bodies`, which
            is the memory that the bodies of HTTP requests share.
        reason: QUEUE_FULL, DEADLINE_TOO_SHORT, DEADLINE_SPENT_WAITING or DRAINING.
    """

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class EngineStarted:
    """A process that runs models is ready. `trust` is `trusted`, `untrusted` or `loading`."""

    trust: str


@dataclass(frozen=True, slots=True)
class EngineEnded:
    """A process that runs models ended.

    Attributes:
        trust: `trusted`, `untrusted`, or `loading` for those that try out the operator's models at the start.
        reason: Why, as a label of metrics, such as `crashed`.
        detail: Why, as the end of a sentence, such as "was ended by SIGSEGV".
        expected: Whether it was meant to end.
        digest: The model that it had loaded; empty for several.
        output: The last characters that it wrote to its standard error, if they were kept.
    """

    trust: str
    reason: str
    detail: str
    expected: bool
    digest: str = ""
    output: str = ""


ApiRecord = (
    CallStarted
    | CallHandled
    | MessageReceived
    | MessageSent
    | HttpHandled
    | StreamItemHandled
    | ExecutorState
    | RequestBegun
    | RequestRejected
)
StoreRecord = StoreState | EntrySkipped | ExplanationNotKept | ExplanationsRemovedEarly | ExplanationsOwed
CredentialRecord = CredentialsReloaded | AuditLineLost
EndpointRecord = EndpointCalled | EndpointWindow | CircuitState
EngineRecord = EngineStarted | EngineEnded
Record = (
    BatchEvaluated
    | BatchesEvaluated
    | StageDone
    | ExplanationFinished
    | CacheLookup
    | StoreRecord
    | EngineRecord
    | EndpointRecord
    | CredentialRecord
    | ApiRecord
)
