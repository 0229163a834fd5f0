"""A model of this process that is asked as if another server ran it: the `Endpoint` port as a test wants it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sequela.concurrency.deadline import Deadline
from sequela.concurrency.worker_pool import WorkerPool
from sequela.explain.evaluate.row_independence import RowIndependence
from sequela.explain.options import Estimator
from sequela.explain.ports import Frame, Model
from sequela.timeshap.cells import Cells

T = TypeVar("T")
Twist = Callable[[int, Cells], None]
"""Called before each call, with its number from 1 and its batch; may raise."""


@dataclass(eq=False)
class NearbyEndpoint:
    """row_seconds: what a row is said to take."""

    pinned: bool = True
    coalitions: int = 2048
    attempts: int = 3
    lanes: int = 1
    rows_alone: RowIndependence = field(default_factory=lambda: RowIndependence(left=0))
    most_rows: int = 64
    row_seconds: float = 0.0
    uri: str = "grpc://nearby:1/m"
    version: str = "1"
    revision: str = ""
    estimator: Estimator | None = None
    pool: WorkerPool = field(default_factory=partial(WorkerPool, 1))

    def check(self) -> None:
        pass

    def seconds(self, rows: int) -> float:
        return self.row_seconds * rows

    def rows(self, _: int) -> int:
        return self.most_rows

    def sent(self, rows: int) -> int:
        return rows

    @contextmanager
    def admitted(self, _: int, deadline: Deadline, until: float) -> Iterator[None]:
        deadline.check(until)
        yield

    def run(self, jobs: Iterable[Callable[[], T]], deadline: Deadline, until: float) -> list[T]:
        return self.pool.run(jobs, partial(deadline.check, until))


class Nearby:
    """The model; `batches` holds what was sent."""

    recurrence = None

    def __init__(self, model: Model, twist: Twist = lambda number, batch: None, **endpoint: Any) -> None:
        self._model, self._twist = model, twist
        self.endpoint = NearbyEndpoint(**endpoint)
        self.batches: list[Cells] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    @property
    def rows_sent(self) -> int:
        """Rows of all calls."""
        return sum(len(batch.events[0]) for batch in self.batches)

    def run(
        self, batch: Cells, frame: Frame, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        self.batches.append(batch)
        self._twist(len(self.batches), batch)
        return self._model.run(batch, frame, output_event, until)
