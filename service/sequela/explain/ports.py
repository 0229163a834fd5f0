"""What explaining needs from outside. Adapters implement these; the tests have small ones of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline
from sequela.errors import SequelaError
from sequela.explain.background import Background, StoredBackground
from sequela.explain.evaluate.row_independence import RowIndependence
from sequela.explain.options import Estimator
from sequela.explain.request import ModelChoice
from sequela.explain.result.explanation import Explanation, ExplanationWarning
from sequela.explain.schema import ModelSchema
from sequela.explain.telemetry import Record
from sequela.timeshap.cells import Cells

Item = TypeVar("Item")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The padding around the real events, for each event input: (before, d_j) and (after, d_j). Never
    switched.
    """

    before: tuple[NDArray[Any], ...]
    after: tuple[NDArray[Any], ...]


States: TypeAlias = tuple[NDArray[Any], ...]
"""What a recurrent model remembers of the events so far: one array (n, width) for each state, n the rows."""


class Recurrence(Protocol):
    """A model that runs forward over events from states, so that a common past is run only once.

    Running events a … c from the states after a - 1 gives what running all events up to c gives, to float
    noise. Safe to call from several threads at once.
    """

    @property
    def static_enters(self) -> tuple[bool, ...]:
        """For each static input, whether it reaches the states; else it reaches the output alone."""

    def initial(self, rows: int) -> States:
        """The states before the first event."""

    def advance(self, batch: Cells, states: States, until: float = math.inf) -> States:
        """The states after the batch's events (n, k ≥ 1, d_j). Raises as `Model.run` does."""

    def finish(self, batch: Cells, states: States, until: float = math.inf) -> NDArray[np.float64]:
        """Raw outputs (n, outputs) after the batch's last event. Raises as `Model.run` does."""


class TryAgain(Exception):
    """A call did not come through to an endpoint, or its answer did not come back; the same call may be sent again.

    `error` is what the caller hears where that does not help either.
    """

    def __init__(self, error: SequelaError) -> None:
        super().__init__(error.message)
        self.error = error


class Endpoint(Protocol):
    """The way to a model that another server runs; all requests share it. Safe to call from several threads at once."""

    @property
    def uri(self) -> str:
        """Where it is served."""

    @property
    def version(self) -> str:
        """The version asked for there; empty: the server's choice."""

    @property
    def revision(self) -> str:
        """The operator's mark of what is served."""

    @property
    def pinned(self) -> bool:
        """What is served cannot change unnoticed: answers may be given to other requests."""

    @property
    def coalitions(self) -> int:
        """Coalitions of a level where the question does not say."""

    @property
    def estimator(self) -> Estimator | None:
        """What the operator wants used where a question does not say; None: chosen by what rows take."""

    @property
    def attempts(self) -> int:
        """How often a call is sent at most."""

    @property
    def rows_alone(self) -> RowIndependence:
        """What is still to be tried of the model's rows."""

    def check(self) -> None:
        """Raises Forbidden when the operator has switched it off, Unavailable while it is known to be down."""

    def seconds(self, rows: int) -> float:
        """What a call of so many rows should take, as calls of late went; 0 before any."""

    @property
    def lanes(self) -> int:
        """Calls that may be under way at a time now."""

    def rows(self, row_bytes: int) -> int:
        """The most rows of so many bytes that one call may hold."""

    def sent(self, rows: int) -> int:
        """The rows that leave for so many: a fixed batch is filled up."""

    def admitted(self, rows: int, deadline: Deadline, until: float) -> AbstractContextManager[None]:
        """Waits until so many rows may be sent, and holds their place while the context lasts.

        Raises TimeUp where that would be past `until`, Cancelled when the caller has gone, and what `check` raises.
        """

    def run(self, jobs: Iterable[Callable[[], T]], deadline: Deadline, until: float) -> list[T]:
        """Runs jobs of one call each, as many at a time as keep the endpoint busy, in turn with other requests'.

        Results and errors are as in `WorkerPool.run`; raises TimeUp and Cancelled also while jobs wait for their turn.
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


class Model(Protocol):
    """A model that scores batches. Safe to call from several threads at once."""

    @property
    def info(self) -> ModelInfo:
        """Its name, schema and other facts."""

    @property
    def recurrence(self) -> Recurrence | None:
        """The same model run from states; None where it can only be run whole."""

    @property
    def endpoint(self) -> Endpoint | None:
        """The way to it; None where it runs in this process."""

    def work(self, events: int) -> int:
        """About how many multiply-adds one row of so many events takes: follows from the graph alone."""

    def run(
        self, batch: Cells, frame: Frame, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        """Raw outputs (n, outputs) of a batch of n sequences of l real events.

        The batch's event inputs are (n, l, d_j). The frame's padding is put around them, mask and length
        inputs are built from it. `output_event` t ≤ 0 selects the step of a per-event output, counted from
        the last real event. Raises DoesNotFit when the model fails on the batch or gives values that are not
        finite, TimeUp when it had to be stopped at `until` (on the monotonic clock). Behind an endpoint also
        TryAgain, Unavailable and Overloaded.
        """


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
    """What is known of a model, usable or not. `schema` and the rest are there once it is READY."""

    name: str
    digest: str
    source: ModelSource
    state: ModelState
    create_time: datetime
    detail: str = ""
    execution: str = ""
    model: Model | None = None

    @property
    def told(self) -> str:
        """Name, state, and why."""
        return f"{self.name} {self.state.value.upper()}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, and where the next page starts (empty: no more)."""

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
    """Named backgrounds. Raises NotFound, AlreadyExists, Unavailable (the shared store is down)."""

    def create(self, stored: StoredBackground) -> StoredBackground:
        """Keeps a background; the same content again answers what is there."""

    def get(self, name: str) -> StoredBackground:
        """By full name `models/m/backgrounds/b`."""

    def by_digest(self, digest: str) -> Background:
        """By digest, whatever its name. Also finds what `remember` was given."""

    def remember(self, background: Background) -> None:
        """Keeps an inline background for later questions that name its digest; never fails."""

    def list(self, model: str, page_size: int, token: str) -> Page[StoredBackground]:
        """By name; `model` (`models/m`) narrows unless empty."""

    def delete(self, name: str) -> None:
        """Forgets a background."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which explanations to list. Empty and None mean any. Times: [start, end)."""

    caller_id: str = ""
    model: str = ""
    labels: Mapping[str, str] | None = None
    start: datetime | None = None
    end: datetime | None = None


class Explanations(Protocol):
    """Explanations made before."""

    def answer(self, key: str) -> Explanation | None:
        """A complete explanation by content key (`identity.content_key`), for reuse; None where there is none
        or the store is down.
        """

    def keep(self, key: str | None, explanation: Explanation) -> None:
        """Keeps an explanation under its name, and for reuse under `key`, where there is one and it was not cut short.
        Never fails: when the shared store is down it is kept in process, and observers say so.
        """

    def get(self, name: str) -> Explanation:
        """By name `explanations/e`. Raises NotFound, Unavailable."""

    def list(self, wanted: Filter, page_size: int, token: str) -> Page[Explanation]:
        """Newest first. Raises Unavailable."""


class Observer(Protocol):
    """Told what happened; must not raise, must not block."""

    def notice(self, record: Record) -> None:
        """Takes one record."""


class Observers:
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def notice(self, record: Record) -> None:
        """Passes the record to all."""
        for observer in self._observers:
            observer.notice(record)
