"""A server with a planted fault: `python faulty_server.py FAULT [SETTINGS]`. Tests find the fault as docs/debugging.md
says.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import sequela.adapters.model_io.feeds as model_feeds
import sequela.adapters.onnx.stateful.recurrence as stateful
import sequela.explain.levels.feature as feature_level
from numpy.typing import NDArray
from sequela.adapters.onnx.stateful.recurrence import OnnxRecurrence
from sequela.explain.estimate.solvers import LOCAL_SOLVERS, SOLVERS, Estimate, Solver
from sequela.explain.ports import States
from sequela.main import main
from sequela.timeshap.cells import Cells
from sequela.timeshap.players import Extent, Players
from sequela.timeshap.regression import Solution

SWAPPED = [1, 0]


def rewriting() -> None:
    """Exchanges two columns of the latest event in larger batches that are run from states."""
    finish = OnnxRecurrence.finish

    def faulty(
        self: OnnxRecurrence, batch: Cells, states: States, until: float = math.inf
    ) -> NDArray[np.float64]:
        events = batch.events[0]
        if len(events) > 16:
            events = events.copy()
            events[:, -1, :2] = events[:, -1, SWAPPED]
        return finish(self, Cells((events, *batch.events[1:]), batch.static), states, until)

    OnnxRecurrence.finish = faulty  # type: ignore[method-assign]


def feeding() -> None:
    """Exchanges two columns in every run of the model."""
    right = model_feeds.to_input_array

    def faulty(values: NDArray[Any], seen: Any) -> NDArray[Any]:
        if values.ndim == 3:
            values = values.copy()
            values[..., :2] = values[..., SWAPPED]
        return right(values, seen)

    for module in (model_feeds, stateful):
        module.to_input_array = faulty  # type: ignore[attr-defined]


def solving() -> None:
    """Gives the first player a part of the second player's attribution."""
    for solvers in (SOLVERS, LOCAL_SOLVERS):
        for name, right in list(solvers.items()):
            solvers[name] = replace(right, solve=partial(_solved_wrongly, right))  # type: ignore[index]


def _solved_wrongly(right: Solver, *arguments: Any) -> Estimate:
    found = right.solve(*arguments)
    moved = np.zeros_like(found.solution.values)
    moved[0], moved[1] = 0.01, -0.01
    return replace(found, solution=Solution(found.solution.values + moved, found.solution.errors))


def layout() -> None:
    """Exchanges the columns of two features in the game of the features."""
    right = feature_level.unpruned_feature_players

    def faulty(extent: Extent, pruned: int) -> Players:
        players = right(extent, pruned)
        return replace(players, grid=players.grid[:, [*SWAPPED, *range(2, extent.features)]])

    feature_level.unpruned_feature_players = faulty


FAULTS: Mapping[str, Callable[[], None]] = {
    "none": lambda: None,
    "rewriting": rewriting,
    "feeding": feeding,
    "solving": solving,
    "layout": layout,
}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
