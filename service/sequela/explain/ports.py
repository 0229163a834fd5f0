"""The ports: what the explain package needs from outside. Adapters implement them; tests have small implementations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline
from sequela.explain.background import Background, StoredBackground
from sequela.explain.call_listener import CallListener
from sequela.explain.endpoint_info import EndpointInfo
from sequela.explain.explanation import Explanation, ExplanationWarning
from sequela.explain.explanation_query import Deleted, Filter, Selector
from sequela.explain.explanation_summary import ExplanationSummary
from sequela.explain.kept_explanation import KeptExplanation, KeptSequence
from sequela.explain.request import ModelChoice
from sequela.explain.row_independence import RowIndependence
from sequela.explain.schema import ModelSchema
from sequela.explain.telemetry import Record
from sequela.timeshap.cells import Cells

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class PaddingRows:
    """The rows of padding around the real events. They belong to no player and are the same in every perturbation.

    Attributes:
        before: The rows before the real events, (before, d_j) for each event input.
        after: The rows after the real events, (after, d_j) for each event input.
    """

    before: tuple[NDArray[Any], ...]
    after: tuple[NDArray[Any], ...]


States: TypeAlias = tuple[NDArray[Any], ...]
"""The states of a recurrent model after some events: an array (n, width) for each state, where n is the batch size."""


class Recurrence(Protocol):
    """A model that can continue from states, so that events shared by several rows are run only once. Thread-safe.

    Running events a … c from the states after event a - 1 gives the same result as running all events up to c, except
    for rounding.
    """

    @property
    def static_enters(self) -> tuple[bool, ...]:
        """For each static input, whether it affects the states. If not, it only affects the output."""

    def initial(self, rows: int) -> States:
        """Returns the states before the first event, for a batch of `rows` rows."""

    def advance(self, batch: Cells, states: States, until: float = math.inf) -> States:
        """Returns the states after the events (n, k, d_j) of a batch, k >= 1. Raises as `LocalModel.run` does."""

    def finish(self, batch: Cells, states: States, until: float = math.inf) -> NDArray[np.float64]:
        """Returns the raw outputs (n, outputs) after the last event of a batch. Raises as `LocalModel.run` does."""


@dataclass(frozen=True, slots=True, eq=False)
class RemoteRows:
    """Sequences of the same length and padding for an endpoint to score. Each batch is built just before it is sent.

    Attributes:
        count: The number of rows n.
        build: Builds a batch of the rows with the given numbers, (m,) from 0 to n - 1.
        padding: The padding of every row.
        output_event: As in `LocalModel.run`.
        row_bytes: The size in bytes of one row's tensors, or of its outputs if those are larger.
        max_call_rows: The most rows in one call; None if only the endpoint's own limits apply.
    """

    count: int
    build: Callable[[NDArray[np.intp]], Cells]
    padding: PaddingRows
    output_event: int
    row_bytes: int
    max_call_rows: int | None = None


class RemoteEndpoint(Protocol):
    """A model's endpoint, shared by all requests. Thread-safe."""

    @property
    def info(self) -> EndpointInfo:
        """Where the model is served, and the operator's current settings."""

    @property
    def row_independence(self) -> RowIndependence:
        """Chooses rows to score a second time, alone, to find out whether the rows of a call influence each other."""

    def check(self) -> None:
        """Raises Forbidden if the operator has disabled the endpoint, and Unavailable while it is known to be down."""

    def expected_seconds(self, rows: int, row_bytes: int) -> float:
        """Estimates the seconds that `rows` rows take, one call after another; 0 before the first call."""

    def score_batches(
        self, rows: RemoteRows, deadline: Deadline, until: float, listener: CallListener
    ) -> NDArray[np.float64]:
        """Scores rows in as many calls as necessary, several of them concurrently if that is faster.

        The endpoint decides on call sizes, retries, rate limits and the order of requests.

        Args:
            rows: The rows to score.
            deadline: The request's deadline and cancellation.
            until: When the outputs are needed, in seconds on the monotonic clock. The deadline's end applies too.
            listener: Is notified of every call. If a call fails, it has already received the outputs of the others.

        Returns:
            Raw outputs (n, outputs).

        Raises:
            DeadlinePassed: There was not enough time for all rows. If retries of a failing call used up the time, the
                exception's cause is the error of that call.
            Cancelled: The caller cancelled the request.
            Forbidden, Unavailable: As `check` raises, or a call failed and its retries were used up or not allowed.
            Overloaded: The endpoint is overloaded.
            DoesNotFit: The endpoint rejected the call, its response is not valid, or an output is not finite.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ModelInfo:
    """What is known about a model before it is run.

    Attributes:
        name: `models/m/versions/v`.
        digest: 64 hexadecimal digits. For a file, its `identity.model_digest`; for a model behind an endpoint, a
            SHA-256 over its identity (docs/design.md §6.2).
        schema: The schema with every field filled in. Event and static inputs are in the order of `Cells`.
        fixed_length: The number of events, including padding, that the model takes; None if it takes any number.
        default_background: The background from the model's schema.
        warnings: What was assumed or discovered when the model was loaded. Every answer contains these warnings.
    """

    name: str
    digest: str
    schema: ModelSchema
    fixed_length: int | None = None
    default_background: Background | None = None
    warnings: tuple[ExplanationWarning, ...] = ()


class LocalModel(Protocol):
    """A model that runs in this process. Thread-safe."""

    @property
    def info(self) -> ModelInfo:
        """The model's name, schema and other properties."""

    @property
    def endpoint(self) -> None:
        """Always None, which distinguishes the model from a `RemoteModel`."""

    @property
    def recurrence(self) -> Recurrence | None:
        """The same model, run from states. None if it can only be run on whole sequences."""

    def work(self, events: int) -> int:
        """Returns the approximate number of multiply-adds for one row of `events` events, derived from the graph."""

    def run(
        self, batch: Cells, padding: PaddingRows, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        """Scores a batch of n sequences of l real events.

        Args:
            batch: Event inputs (n, l, d_j) and static inputs (n, s_j).
            padding: The padding to put around the events. Mask and length inputs are derived from it.
            output_event: The event t <= 0 whose output to return, counted from the last real event. Only for models
                with an output for each event.
            until: When the outputs are needed, in seconds on the monotonic clock.

        Returns:
            Raw outputs (n, outputs).

        Raises:
            DoesNotFit: The model failed on the batch, or an output is not finite.
            DeadlinePassed: The call was stopped at `until`.
        """

    def event_weights(
        self, sequence: Cells, padding: PaddingRows, until: float = math.inf
    ) -> NDArray[np.float64] | None:
        """Reads the model's own weights of the events from the output that `ModelSchema.event_weights` names.

        Takes a batch of one sequence, as `run` does, and raises as `run` does.

        Returns:
            A weight for each real event, oldest first, (l,); None if the schema names no such output.
        """


@dataclass(frozen=True, slots=True, eq=False)
class RemoteModel:
    """A model that runs on another server, whose endpoint scores rows."""

    info: ModelInfo
    endpoint: RemoteEndpoint

    def with_name(self, name: str) -> RemoteModel:
        """Returns the same model under another name."""
        return replace(self, info=replace(self.info, name=name))


Model: TypeAlias = LocalModel | RemoteModel


class ModelState(StrEnum):
    """Whether a model can be used."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class ModelSource(StrEnum):
    """How a model was added."""

    REPOSITORY = "repository"
    UPLOAD = "upload"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ModelRecord:
    """An entry in the list of models.

    Only READY models have an `info`, and an `execution` that says how they are run. `endpoint` is set for a model that
    runs on another server.
    """

    name: str
    digest: str
    source: ModelSource
    state: ModelState
    create_time: datetime
    detail: str = ""
    execution: str = ""
    info: ModelInfo | None = None
    endpoint: RemoteEndpoint | None = None

    @property
    def summary(self) -> str:
        """The name, the state and the reason for it, in one line."""
        return f"{self.name} {self.state.value.upper()}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list. `next_token` requests the next page and is empty on the last one."""

    items: tuple[Item, ...]
    next_token: str = ""


class ModelResolver(Protocol):
    """What a request needs of models."""

    def resolve(self, choice: ModelChoice, deadline: Deadline | None = None) -> Model:
        """Returns the model that a request names or contains. Loads it if necessary, by the deadline if there is one.

        Raises:
            Unavailable: The model is still loading.
            DoesNotFit: The model failed to load.
            DeadlinePassed: The model was not loaded by the deadline.
            Cancelled: The request was cancelled meanwhile.
        """


class Models(ModelResolver, Protocol):
    """The models that can be explained. Methods raise NotFound, InvalidInput, Forbidden, AlreadyExists, Unavailable."""

    def info(self, choice: ModelChoice, deadline: Deadline | None = None) -> ModelInfo:
        """Returns the properties of the model that a request names or contains. Raises as `resolve` does."""

    def configured(self, choice: ModelChoice) -> ModelRecord | None:
        """Returns the record of the operator's model that a request names; None if it is not one of the operator's.

        It answers from memory, so that it can be called in the event loop.
        """

    def register(
        self, name: str, onnx: bytes, schema_json: bytes, deadline: Deadline | None = None
    ) -> ModelRecord:
        """Stores an uploaded model, so that every replica can load it. Also raises DeadlinePassed.

        `name` is `m`, `m/v` or empty, in which case the model is named by its digest.
        """

    def get(self, name: str, deadline: Deadline | None = None) -> ModelRecord:
        """Returns the model with this name. Raises DeadlinePassed if it could not be loaded in time."""

    def list(self, page_size: int, token: str) -> Page[ModelRecord]:
        """Lists the models, sorted by name."""

    def delete(self, name: str) -> None:
        """Deletes an uploaded model."""


class BackgroundFinder(Protocol):
    """What a request needs of backgrounds. Methods raise as those of `Backgrounds`."""

    def get(self, name: str) -> StoredBackground:
        """Returns the background with the full name `models/m/backgrounds/b`."""

    def by_digest(self, digest: str) -> Background:
        """Returns the background with this digest, even if it was only passed to `remember`."""

    def remember(self, background: Background) -> None:
        """Stores a background that was sent inline, so that later requests can name its digest. Never raises."""


class Backgrounds(BackgroundFinder, Protocol):
    """Stored backgrounds. Methods raise NotFound, AlreadyExists, and Unavailable if the shared store is down."""

    def create(self, stored: StoredBackground) -> StoredBackground:
        """Stores a background. If the same content is already stored under this name, returns the stored one."""

    def list(self, model: str, page_size: int, token: str) -> Page[StoredBackground]:
        """Lists the backgrounds, sorted by name.

        If `model` (`models/m`) is not empty, lists only those of this model.
        """

    def delete(self, name: str) -> None:
        """Deletes a background."""


class Explanations(Protocol):
    """Stored explanations."""

    def answer(self, key: str) -> Explanation | None:
        """Returns a reusable explanation with this content key (`identity.content_key`).

        Returns None if there is none, or if the store is down.
        """

    def keep(
        self, key: str | None, explanation: Explanation, sequence: KeptSequence, accepted: datetime
    ) -> bytes:
        """Stores an explanation under its name, and also under `key` for reuse. Never raises.

        Returns its content as it was stored, which is the form in which it is sent.

        Args:
            key: The content key. An explanation is not reused if it is None, or if the explanation was cut short.
            explanation: The explanation.
            sequence: The sequence that it explains.
            accepted: When its request was accepted. It is not stored if it was deleted after that.
        """

    def get(self, name: str) -> KeptExplanation:
        """Returns the explanation with the name `explanations/e`. Raises NotFound and Unavailable."""

    def list(self, wanted: Filter, page_size: int, token: str) -> Page[ExplanationSummary]:
        """Lists the matching explanations, newest first. Raises Unavailable."""

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """Deletes explanations, so that they can no longer be found. A thread does what is left to do at `until`."""


class Observer(Protocol):
    """Receives records of what happens, for logs and metrics. It must neither raise nor block."""

    def notice(self, record: Record) -> None:
        """Receives a record."""


class Observers:
    """An observer that passes every record on to several observers."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def notice(self, record: Record) -> None:
        """Passes the record to all observers."""
        for observer in self._observers:
            observer.notice(record)
