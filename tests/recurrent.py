"""A recurrent model in plain numpy and float64, which is run whole or from states and counts its runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sequela.explain.ports import ModelInfo, PaddingRows, States
from sequela.explain.schema import ModelSchema
from sequela.timeshap.cells import Cells

WIDTH = 3


@dataclass
class PlainRnn:
    """h ← tanh(W x + R h + S s + b). The output is a sigmoid of h and of those static inputs that do not enter the
    states.

    It has one event input of three columns, and a static input of two columns for each item of `enters`, which says
    whether that input enters the states. It implements `Recurrence`, and of `Model` the methods that run it.
    """

    enters: tuple[bool, ...] = ()
    per_event: bool = False
    seed: int = 0
    events_run: int = 0
    info: ModelInfo = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        schema = ModelSchema(inputs=(), features=(), targets=(), per_event=self.per_event)
        self.info = ModelInfo("", "", schema)
        self._w, self._r = rng.normal(size=(3, WIDTH)), 0.7 * rng.normal(size=(WIDTH, WIDTH))
        self._s = [rng.normal(size=(2, WIDTH)) for _ in self.enters]
        self._out = rng.normal(size=(WIDTH, 2))

    @property
    def static_enters(self) -> tuple[bool, ...]:
        return self.enters

    @property
    def recurrence(self) -> PlainRnn:
        return self

    def work(self, events: int) -> int:
        return 100_000 * events

    def initial(self, rows: int) -> States:
        return (np.full((rows, WIDTH), 0.1),)

    def advance(self, batch: Cells, states: States, until: float = math.inf) -> States:
        return (self._steps(batch, states)[:, -1],)

    def finish(self, batch: Cells, states: States, until: float = math.inf) -> NDArray[np.float64]:
        return self._head(self._steps(batch, states)[:, -1], batch)

    def run(
        self, batch: Cells, padding: PaddingRows, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        rows = len(batch.events[0])
        rows_around = [np.broadcast_to(p[0], (rows, *p[0].shape)) for p in (padding.before, padding.after)]
        whole = Cells(
            (np.concatenate([rows_around[0], batch.events[0], rows_around[1]], axis=1),), batch.static
        )
        states = self._steps(whole, self.initial(rows))
        step = len(padding.before[0]) + batch.length - 1 + output_event if self.per_event else -1
        return self._head(states[:, step], whole)

    def _steps(self, batch: Cells, states: States) -> NDArray[np.float64]:
        (events,), (h,) = batch.events, states
        entering = sum(
            (s @ w for s, w, enters in zip(batch.static, self._s, self.enters, strict=True) if enters),
            np.zeros((len(events), WIDTH)),
        )
        steps = []
        for event in range(events.shape[1]):
            h = np.tanh(events[:, event] @ self._w + h @ self._r + entering)
            steps.append(h)
        self.events_run += events.shape[0] * events.shape[1]
        return np.stack(steps, axis=1)

    def _head(self, h: NDArray[np.float64], batch: Cells) -> NDArray[np.float64]:
        beside = sum(
            (s @ w for s, w, enters in zip(batch.static, self._s, self.enters, strict=True) if not enters),
            np.zeros_like(h),
        )
        return np.asarray(1 / (1 + np.exp(-(h + beside) @ self._out)))
