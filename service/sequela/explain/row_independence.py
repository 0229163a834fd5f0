"""Whether rows of one call to an endpoint influence each other: a few rows are sent again, alone, to see.

A file is checked for this when it is loaded. Rows sent to an endpoint cost money, so of each model that an endpoint
describes only three are sent twice, in the first explanations of a process: the sequence, and two mixes that are
mostly background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sequela.errors import DoesNotFit

Outputs = NDArray[np.float64]
ScoreAlone = Callable[[Sequence[int]], list[Outputs]]
"""Scores rows of a batch again, by number, each in a call of its own: (outputs,) each."""

ROWS_TO_TRY = 3
TOLERANCE = 2e-4
"""Largest difference allowed, as a fraction of the largest output of a call. Float32 noise between batch sizes lies far
below.
"""
HALF_TOLERANCE = 1e-2
"""The same where outputs are 16-bit floats."""
REPEATS = 6
"""How often a row is repeated whose score may be drawn at random. Two draws of a class are often equal, six rarely."""
REPEAT_SHARE = 0.05
"""Largest difference between repeats of one row sent alone, as a fraction of the tolerance."""


class RowIndependence:
    """Counts the rows of a model that are still to be tried. All requests share it; at worst a row more is sent.

    Args:
        tolerance: Largest difference allowed, as a fraction of the largest output.
        left: Rows still to be tried.
    """

    def __init__(self, tolerance: float = TOLERANCE, left: int = ROWS_TO_TRY) -> None:
        self.left = left
        self._tolerance = tolerance

    def choose(self, rows: Sequence[int], coalitions: NDArray[np.bool_]) -> list[int]:
        """Chooses among rows of a call, given their coalitions (n, players), those with the fewest players present.

        The background alone is never chosen. Empty where nothing is left to try, or a row would be alone anyway.
        """
        if not self.left or len(rows) < 2:
            return []
        present = coalitions[list(rows)].sum(axis=1)
        order = [rows[place] for place in np.argsort(present, kind="stable") if present[place]]
        return order[: self.left]

    def check(self, uri: str, rows: Sequence[int], outputs: Outputs, score_alone: ScoreAlone) -> None:
        """Compares rows sent alone with `outputs` (n, outputs), which has them scored beside others.

        Raises:
            DoesNotFit: MODEL_ROWS_COUPLED, MODEL_NOT_DETERMINISTIC.
            SequelaError: What `score_alone` raises.
        """
        allowed = self._tolerance * np.abs(outputs).max(initial=0.0)
        whole_numbers = bool((outputs == np.round(outputs)).all())
        if whole_numbers:  # a class, perhaps a drawn one: equal by luck even where it is random
            repeats = score_alone([rows[0]] * REPEATS)
            if _spread(repeats) > allowed:
                raise _not_deterministic(uri, repeats)
        for row, alone in zip(rows, score_alone(rows), strict=True):
            difference = np.abs(alone - outputs[row]).max()
            if (
                difference > allowed * REPEAT_SHARE
            ):  # too much for batch sizes: random, or due to the other rows
                repeats = [*score_alone([row] * REPEATS), alone]
                if _spread(repeats) > allowed * REPEAT_SHARE:
                    raise _not_deterministic(uri, repeats)
            if difference > allowed:
                raise _coupled(uri, alone, outputs[row])
        self.left = max(self.left - len(rows), 0)


def _spread(repeats: Sequence[Outputs]) -> float:
    return float(np.ptp(np.stack(repeats), axis=0).max())


def _coupled(uri: str, alone: Outputs, beside: Outputs) -> DoesNotFit:
    place = int(np.abs(alone - beside).argmax())
    text = (
        f"{uri} scores a sequence {beside[place]:.6g} beside others and {alone[place]:.6g} alone: the rows of a batch "
        "influence each other. Set max_batch_rows = 1 in its endpoint.toml, or serve a model whose rows are "
        "independent (batch_first, no normalisation over the batch, no dynamic quantisation)"
    )
    return DoesNotFit("MODEL_ROWS_COUPLED", text)


def _not_deterministic(uri: str, repeats: Sequence[Outputs]) -> DoesNotFit:
    found = np.stack(repeats)
    place = int(np.ptp(found, axis=0).argmax())
    low, high = found[:, place].min(), found[:, place].max()
    text = (
        f"{uri} scores the same sequence {low:.6g} and {high:.6g}. Serve a model that gives the same output each time "
        "(model.eval(), no sampling, no noise)"
    )
    return DoesNotFit("MODEL_NOT_DETERMINISTIC", text)
