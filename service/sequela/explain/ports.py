"""The ports: what explaining needs from outside. Adapters implement them, and tests have small ones of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline
from sequela.explain.background import Background, StoredBackground
from sequela.explain.explanation import Explanation, ExplanationWarning
from sequela.explain.options import Estimator
from sequela.explain.request import ModelChoice
from sequela.explain.row_independence import RowIndependence
from sequela.explain.schema import ModelSchema
from sequela.explain.telemetry import Record
from sequela.timeshap.cells import Cells

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The padding around the real events. It belongs to no player and is never switched.

    Attributes:
        before: For each event input the rows before the real events, (before, d_j).
        after: For each event input the rows after them, (after, d_j).
    """

    before: tuple[NDArray[Any], ...]
    after: tuple[NDArray[Any], ...]


States: TypeAlias = tuple[NDArray[Any], ...]
"""The states of a recurrent model after some events: an array (n, width) for each state, with n the rows of a batch."""


class Recurrence(Protocol):
    """A model that runs forward over events from states, so that events which rows share are run only once.

    Running events a … c from the states after event a - 1 gives the same as running all events up to c, up to rounding.
    Safe to call from several threads at once.
    """

    @property
    def static_enters(self) -> tuple[bool, ...]:
        """For each static input, whether it reaches the states. Otherwise it reaches the output alone."""

    def initial(self, rows: int) -> States:
        """The states before the first event."""

    def advance(self, batch: Cells, states: States, until: float = math.inf) -> States:
        """The states after the events (n, k, d_j) of a batch, k >= 1. Raises as `LocalModel.run` does."""

    def finish(self, batch: Cells, states: States, until: float = math.inf) -> NDArray[np.float64]:
        """Raw outputs (n, outputs) after the last event of a batch. Raises as `LocalModel.run` does."""


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """What is known of the endpoint that serves a model, and what its operator prefers.

    Attributes:
        uri: Where the model is served.
        version: The version that is asked for there; empty leaves the choice to the server.
        revision: The operator's own mark of what is served; empty where there is none.
        pinned: Whether the model cannot change unnoticed. Only then may answers be given to other requests.
        platform: The server's name for what runs the model, where it says.
        max_coalitions: Coalitions of a level at most, where a request does not say.
        estimator: The estimator to use where a request does not say; None to choose it by what rows take.
    """

    uri: str
    version: str
    revision: str
    pinned: bool
    platform: str
    max_coalitions: int
    estimator: Estimator | None


@dataclass(frozen=True, slots=True, eq=False)
class RemoteRows:
    """Sequences of one length and padding that an endpoint is to score. A batch is built when its call leaves.

    Attributes:
        count: The number of rows n.
        build: Makes a batch of the rows with these numbers, (m,) from 0 to n - 1.
        frame: The padding of every row.
        output_event: As in `LocalModel.run`.
        row_bytes: Size of one row's tensors, or of its outputs where these are larger.
        max_call_rows: Rows of one call at most, beside the endpoint's own limits; None for no other limit.
    """

    count: int
    build: Callable[[NDArray[np.intp]], Cells]
    frame: Frame
    output_event: int
    row_bytes: int
    max_call_rows: int | None = None


class CallListener(Protocol):
    """Hears of the calls that score rows, from the threads that make them."""

    def call_sent(self, rows: int) -> None:
        """A call leaves with so many rows, those that fill up a fixed batch included. It may still fail."""

    def call_answered(self, rows: slice, outputs: NDArray[np.float64], seconds: float) -> None:
        """A call brought the raw outputs (m, outputs) of these rows, and took so long."""


class RemoteEndpoint(Protocol):
    """A model's endpoint. All requests share it. Safe to call from several threads at once."""

    @property
    def info(self) -> EndpointInfo:
        """Where the model is served, and the operator's preferences as they are now."""

    @property
    def row_independence(self) -> RowIndependence:
        """Which rows are still to be scored a second time, alone, to see whether rows influence each other."""

    def check(self) -> None:
        """Raises Forbidden where the operator has switched it off, and Unavailable while it is known to be down."""

    def expected_seconds(self, rows: int, row_bytes: int) -> float:
        """How long so many rows should take, call by call, judged by recent calls; 0 before the first call."""

    def score_batches(
        self, rows: RemoteRows, deadline: Deadline, until: float, listener: CallListener
    ) -> NDArray[np.float64]:
        """Scores rows in as many calls as it takes, as many at a time as keep the endpoint busy.

        Call sizes, retries, rate limits and turns with other requests are the endpoint's own matter.

        Args:
            rows: What to score.
            deadline: The request's deadline and cancellation.
            until: When the outputs are needed, on the monotonic clock; the deadline's end holds too.
            listener: Hears of every call. What calls brought before one failed is not lost: it was told of it.

        Returns:
            Raw outputs (n, outputs).

        Raises:
            DeadlinePassed: Some rows did not fit into the time. Its cause is the endpoint's error, where one took
                the time.
            Cancelled: The caller has gone.
            Forbidden, Unavailable: As `check`, or calls failed and were not, or not any more, sent again.
            Overloaded: The endpoint has too much to do.
            DoesNotFit: The endpoint refuses, its answer is not valid, or outputs are not finite.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ModelInfo:
    """What is known of a model before it is run.

    Attributes:
        name: `models/m/versions/v`.
        digest: 64 hexadecimal digits: of a file as in `identity.model_digest`; behind an endpoint a SHA-256 over its
            identity (docs/design.md §6.2).
        schema: Every field filled in; event and static inputs are in the order of `Cells`.
        fixed_length: The number of events (padding included) that the model takes, where that is fixed.
        default_background: The background that its schema names.
        warnings: What was assumed or found out when it was loaded, for the readers of every answer.
    """

    name: str
    digest: str
    schema: ModelSchema
    fixed_length: int | None = None
    default_background: Background | None = None
    warnings: tuple[ExplanationWarning, ...] = ()


class LocalModel(Protocol):
    """A model that this process runs. Safe to call from several threads at once."""

    @property
    def info(self) -> ModelInfo:
        """Its name, schema and other facts."""

    @property
    def endpoint(self) -> None:
        """None: this tells it from a `RemoteModel`."""

    @property
    def recurrence(self) -> Recurrence | None:
        """The same model, run from states; None if it can only be run on whole sequences."""

    def work(self, events: int) -> int:
        """The multiply-adds of one row of so many events, about. They follow from the graph alone."""

    def run(
        self, batch: Cells, frame: Frame, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        """Scores a batch of n sequences of l real events.

        Args:
            batch: Event inputs (n, l, d_j) and static inputs (n, s_j).
            frame: The padding put around the events. Mask and length inputs are built from it.
            output_event: t ≤ 0 selects the step of a per-event output, counted from the last real event.
            until: When the outputs are needed, on the monotonic clock.

        Returns:
            Raw outputs (n, outputs).

        Raises:
            DoesNotFit: The model fails on the batch, or gives values that are not finite.
            DeadlinePassed: It had to be stopped at `until`.
        """


@dataclass(frozen=True, slots=True, eq=False)
class RemoteModel:
    """A model that another server runs; its endpoint scores rows."""

    info: ModelInfo
    endpoint: RemoteEndpoint

    def named(self, name: str) -> RemoteModel:
        """The same model under another name."""
        return replace(self, info=replace(self.info, name=name))


Model: TypeAlias = LocalModel | RemoteModel


class ModelState(StrEnum):
    """Whether a model can be used."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class ModelSource(StrEnum):
    """Where a model came from."""

    REPOSITORY = "repository"
    UPLOAD = "upload"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True, eq=False)
class ModelRecord:
    """A model as it is listed, usable or not. `execution` and `model` are set once it is READY."""

    name: str
    digest: str
    source: ModelSource
    state: ModelState
    create_time: datetime
    detail: str = ""
    execution: str = ""
    model: Model | None = None

    @property
    def summary(self) -> str:
        """Name, state, and the reason for it, in one line."""
        return f"{self.name} {self.state.value.upper()}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of a list. `next_token` is where the next page starts; empty if there is none."""

    items: tuple[Item, ...]
    next_token: str = ""


class Models(Protocol):
    """The models that can be explained. Raises NotFound, InvalidInput, Forbidden, AlreadyExists,
    Unavailable.
    """

    def resolve(self, choice: ModelChoice, until: float = math.inf) -> Model:
        """The model a question names; loads it where needed, by `until` on the monotonic clock. Unavailable while
        LOADING, DoesNotFit when FAILED, TimeUp.
        """

    def is_remote(self, choice: ModelChoice) -> bool:
        """Whether another server runs it, as far as is known without asking anyone."""

    def register(self, name: str, onnx: bytes, schema_json: bytes) -> ModelRecord:
        """Keeps an uploaded model so that every replica finds it. `name` is `m`, `m/v` or empty (its
        digest).
        """

    def get(self, name: str) -> ModelRecord:
        """Describes one model."""

    def list(self, page_size: int, token: str) -> Page[ModelRecord]:
        """Models by name."""

    def delete(self, name: str) -> None:
        """Forgets an uploaded model."""


class Backgrounds(Protocol):
    """Stored backgrounds. Methods raise NotFound, AlreadyExists, and Unavailable if the shared store is down."""

    def create(self, stored: StoredBackground) -> StoredBackground:
        """Stores a background. If the same content is stored under this name, that is returned."""

    def get(self, name: str) -> StoredBackground:
        """The background of a full name `models/m/backgrounds/b`."""

    def by_digest(self, digest: str) -> Background:
        """The background of a digest, also one that only `remember` was given."""

    def remember(self, background: Background) -> None:
        """Keeps a background that was sent with a request, for later requests that name its digest. Never fails."""

    def list(self, model: str, page_size: int, token: str) -> Page[StoredBackground]:
        """The backgrounds by name; those of one model if `model` (`models/m`) is not empty."""

    def delete(self, name: str) -> None:
        """Deletes a background."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which explanations to list. Empty and None mean any. `start` is included, `end` is not."""

    caller_id: str = ""
    model: str = ""
    labels: Mapping[str, str] | None = None
    start: datetime | None = None
    end: datetime | None = None


class Explanations(Protocol):
    """Stored explanations."""

    def answer(self, key: str) -> Explanation | None:
        """The explanation of a content key (`identity.content_key`) that can be reused.

        None if there is none, or if the store is down.
        """

    def keep(self, key: str | None, explanation: Explanation) -> None:
        """Stores an explanation under its name, and for reuse under `key`, unless that is None or it was cut short.

        Never fails. If the shared store is down, the explanation is kept in the process, and observers are told.
        """

    def get(self, name: str) -> Explanation:
        """The explanation of a name `explanations/e`. Raises NotFound and Unavailable."""

    def list(self, wanted: Filter, page_size: int, token: str) -> Page[Explanation]:
        """The explanations that match, newest first. Raises Unavailable."""


class Observer(Protocol):
    """Is told what happens. It must not raise and must not block."""

    def notice(self, record: Record) -> None:
        """Takes a record."""


class Observers:
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def notice(self, record: Record) -> None:
        """Passes the record to all observers."""
        for observer in self._observers:
            observer.notice(record)
