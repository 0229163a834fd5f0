"""Checks whether the rows of a call to an endpoint influence each other, by sending a few of them again, alone.

A model file is checked for this when it is loaded. Rows sent to an endpoint cost money, so only three rows of each
model are sent twice, in the first explanations of a process: the sequence, and two mixes that are mostly background.
After that, the sequence is sent again as one row of larger batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit, Unavailable
from sequela.explain.changed_model import changed_model_error

Outputs = NDArray[np.float64]
ScoreAlone = Callable[[Sequence[int]], list[Outputs]]
"""Scores the rows with these numbers again, each in a separate call, and returns the outputs (outputs,) of each."""

ROWS_TO_TRY = 3
TOLERANCE = 2e-4
"""Largest difference allowed, as a fraction of the largest output of a call. Float32 rounding differences between batch
sizes are far smaller.
"""
HALF_TOLERANCE = 1e-2
"""`TOLERANCE` for outputs that are 16-bit floats."""
AGAIN_TOLERANCE = 1e-2
"""`TOLERANCE` for a row that is sent again among many others. Accelerators round differently in large batches, and
endpoints that were tried with small ones must stay usable.
"""
REPEATS = 6
"""How often a row is repeated if its score may be random. Two random draws of a class are often equal, six rarely."""
REPEAT_SHARE = 0.05
"""Largest difference between repeats of one row sent alone, as a fraction of the tolerance."""


class RowIndependence:
    """Counts the rows of a model that are still to be checked.

    All requests share it, without a lock: at worst, a few more rows than necessary are checked.

    Args:
        tolerance: Largest difference allowed, as a fraction of the largest output.
        left: The number of rows still to be checked.
    """

    def __init__(self, tolerance: float = TOLERANCE, left: int = ROWS_TO_TRY) -> None:
        self.left = left
        self._tolerance = tolerance

    def choose(self, rows: Sequence[int], coalitions: NDArray[np.bool_]) -> list[int]:
        """Chooses the rows with the fewest players present, given the coalitions (n, players) of a call.

        The background alone is never chosen. Returns an empty list if no more rows need to be checked, or if the call
        has a single row.
        """
        if not self.left or len(rows) < 2:
            return []
        present = coalitions[list(rows)].sum(axis=1)
        order = [rows[place] for place in np.argsort(present, kind="stable") if present[place]]
        return order[: self.left]

    def check(self, uri: str, rows: Sequence[int], outputs: Outputs, score_alone: ScoreAlone) -> None:
        """Sends rows again, alone, and compares their outputs with `outputs` (n, outputs) of the shared calls.

        Raises:
            DoesNotFit: MODEL_ROWS_COUPLED or MODEL_NOT_DETERMINISTIC.
            SequelaError: As `score_alone` raises.
        """
        allowed = self._tolerance * np.abs(outputs).max(initial=0.0)
        whole_numbers = bool((outputs == np.round(outputs)).all())
        # Whole numbers may be classes, and two random draws of a class are often equal, so repeat the row.
        if whole_numbers:
            repeats = score_alone([rows[0]] * REPEATS)
            if _spread(repeats) > allowed:
                raise _not_deterministic_error(uri, repeats)
        for row, alone in zip(rows, score_alone(rows), strict=True):
            difference = np.abs(alone - outputs[row]).max()
            # The size of a batch alone does not make this much difference: either scores are random, or other rows
            # matter.
            if difference > allowed * REPEAT_SHARE:
                repeats = [*score_alone([row] * REPEATS), alone]
                if _spread(repeats) > allowed * REPEAT_SHARE:
                    raise _not_deterministic_error(uri, repeats)
            if difference > allowed:
                raise _coupled_error(uri, alone, outputs[row])
        # Only after all comparisons, so that a check that fails is made again.
        self.left = max(self.left - len(rows), 0)

    def check_again(
        self, uri: str, before: Outputs, outputs: Outputs, score_alone: Callable[[], list[Outputs]]
    ) -> None:
        """Compares the outputs (outputs,) of a row with those that it has now, the last of `outputs` (n, outputs).

        Three rows of the first calls are not enough: calls become larger later, and models are replaced.

        Args:
            uri: The URI of the endpoint.
            before: The row's outputs when it was sent first.
            outputs: The outputs of a batch whose last row it is.
            score_alone: Scores the row again, in a call of its own.

        Raises:
            DoesNotFit: MODEL_ROWS_COUPLED: alone, the row still has its first outputs.
            Unavailable: MODEL_CHANGED: alone, it has others, too.
            SequelaError: As `score_alone` raises.
        """
        allowed = max(self._tolerance, AGAIN_TOLERANCE) * max(np.abs(outputs).max(), np.abs(before).max())
        if np.abs(outputs[-1] - before).max() <= allowed:
            return
        try:
            (alone,) = score_alone()
        except DeadlinePassed:  # the outputs are wrong all the same
            raise _changed_error(uri, before, outputs[-1]) from None
        if np.abs(alone - before).max() <= allowed:
            raise _coupled_error(uri, alone, outputs[-1])
        raise _changed_error(uri, before, alone)


def _spread(repeats: Sequence[Outputs]) -> float:
    return float(np.ptp(np.stack(repeats), axis=0).max())


def _coupled_error(uri: str, alone: Outputs, beside: Outputs) -> DoesNotFit:
    place = int(np.abs(alone - beside).argmax())
    text = (
        f"{uri} gives the same sequence the score {beside[place]:.6g} in a batch with others and "
        f"{alone[place]:.6g} alone, so the rows of a batch influence each other. Set max_batch_rows = 1 in its "
        "endpoint.toml, or serve a model whose rows are independent "
        "(batch_first, no normalisation over the batch, no dynamic quantisation)"
    )
    return DoesNotFit("MODEL_ROWS_COUPLED", text)


def _changed_error(uri: str, before: Outputs, after: Outputs) -> Unavailable:
    place = int(np.abs(after - before).argmax())
    scores = f"the score {before[place]:.6g} first and {after[place]:.6g} later"
    why = "its model was replaced meanwhile, or does not always give the same score"
    return changed_model_error(f"{uri} gave the sequence {scores}, so {why}")


def _not_deterministic_error(uri: str, repeats: Sequence[Outputs]) -> DoesNotFit:
    found = np.stack(repeats)
    place = int(np.ptp(found, axis=0).argmax())
    low, high = found[:, place].min(), found[:, place].max()
    text = (
        f"{uri} gives the same sequence different scores, {low:.6g} and {high:.6g}. Serve a model that "
        "is deterministic (model.eval(), no sampling, no noise)"
    )
    return DoesNotFit("MODEL_NOT_DETERMINISTIC", text)
