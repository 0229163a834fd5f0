"""Whether a served model gives a row alone what it gives it beside others: a few rows are sent again to see.

A file is tried when it is loaded. Rows that leave for an endpoint are money, so that of each model that it describes
three rows are sent twice, in the first explanations of a process: the sequence, and two mixes that are mostly
background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sequela.errors import DoesNotFit

Outputs = NDArray[np.float64]
Again = Callable[[Sequence[int]], list[Outputs]]
"""Sends rows of a batch again, by number, each in a call of its own: (outputs,) each."""

TRIED = 3
TOLERANCE = 2e-4
"""Of the largest output of a call. Noise between the batch sizes of float32 lies far below."""
HALF_TOLERANCE = 1e-2
"""The same where outputs come in 16 bits."""
DRAWN_RUNS = 6
"""Of a row whose score may be drawn by chance: what is drawn from two comes out alike half of the time."""
REPEATED = 0.05
"""Of the tolerance: what runs of the same row alone may differ by."""


class RowIndependence:
    """How many rows of a model are still to be tried. All requests share it: at worst a row more is sent."""

    def __init__(self, tolerance: float = TOLERANCE, left: int = TRIED) -> None:
        self.left = left
        self._tolerance = tolerance

    def chosen(self, rows: Sequence[int], coalitions: NDArray[np.bool_]) -> list[int]:
        """Which of these rows of a call to try: those with the fewest players, but for the background's."""
        if not self.left or len(rows) < 2:
            return []
        present = coalitions[list(rows)].sum(axis=1)
        order = [rows[place] for place in np.argsort(present, kind="stable") if present[place]]
        return order[: self.left]

    def check(self, uri: str, rows: Sequence[int], outputs: Outputs, again: Again) -> None:
        """Compares rows alone with what `outputs` (n, outputs), all of a call, has of them.

        Raises DoesNotFit: MODEL_ROWS_COUPLED, MODEL_NOT_DETERMINISTIC; what sending raises.
        """
        most = self._tolerance * np.abs(outputs).max(initial=0.0)
        drawn = bool((outputs == np.round(outputs)).all())
        if drawn:
            runs = again([rows[0]] * DRAWN_RUNS)
            if np.ptp(np.stack(runs), axis=0).max() > most:
                raise _by_chance(uri, runs)
        for row, alone in zip(rows, again(rows), strict=True):
            apart = np.abs(alone - outputs[row]).max()
            if apart > most * REPEATED:  # more than the sizes of batches do: by chance, or by the other rows
                runs = [*again([row] * DRAWN_RUNS), alone]
                if np.ptp(np.stack(runs), axis=0).max() > most * REPEATED:
                    raise _by_chance(uri, runs)
            if apart > most:
                raise _coupled(uri, alone, outputs[row])
        self.left = max(self.left - len(rows), 0)


def _coupled(uri: str, alone: Outputs, beside: Outputs) -> DoesNotFit:
    place = int(np.abs(alone - beside).argmax())
    text = f"{uri} gives a sequence {beside[place]:.6g} beside others and {alone[place]:.6g} alone: the rows "
    text += (
        "of a batch influence each other. Put max_batch_rows = 1 into its endpoint.toml, or serve a model "
    )
    text += (
        "whose rows are independent (batch_first, nothing normalised over the batch, no dynamic quantisation)"
    )
    return DoesNotFit("MODEL_ROWS_COUPLED", text)


def _by_chance(uri: str, runs: Sequence[Outputs]) -> DoesNotFit:
    found = np.stack(runs)
    place = int(np.ptp(found, axis=0).argmax())
    low, high = found[:, place].min(), found[:, place].max()
    text = f"{uri} gives the same sequence {low:.6g} and {high:.6g}: serve a model that repeats itself "
    text += "(model.eval(), no sampling, no noise)"
    return DoesNotFit("MODEL_NOT_DETERMINISTIC", text)
