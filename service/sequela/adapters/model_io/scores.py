"""Reads scores (n, targets) from a model's output, and reports what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.errors import DoesNotFit
from sequela.explain.schema import ModelSchema


@dataclass(frozen=True, slots=True)
class Scores:
    """Reads the outputs of models with this (complete) schema."""

    schema: ModelSchema

    def at(self, outputs: NDArray[np.float64], step: int) -> NDArray[np.float64]:
        """Returns the scores at a step if outputs have a step for each event, and otherwise the only scores.

        Args:
            outputs: The model's outputs, (n, …) or (n, l, …).
            step: The index of the step, counted from the first event, padding included.

        Returns:
            Scores (n, targets).

        Raises:
            DoesNotFit: MODEL_FAILED for another shape than when the model was loaded; MODEL_OUTPUT_NOT_FINITE.
        """
        if not self.schema.per_event:
            return self._check(outputs)
        steps = outputs.shape[1] if outputs.ndim > 1 else 1
        if outputs.ndim < 2 or not 0 <= step < steps:
            text = f"the model's output has {steps} steps, so there is no step with the index {step}"
            raise DoesNotFit("MODEL_FAILED", text)
        return self._check(outputs[:, step])

    def last(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the scores at the last step. Raises as `at` does."""
        return self.at(outputs, outputs.shape[1] - 1 if self.schema.per_event and outputs.ndim > 1 else 0)

    def _check(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        # Targets may lie along several axes, such as the steps and outputs of a forecast.
        scores = outputs if outputs.ndim == 2 else outputs.reshape(len(outputs), -1)
        if scores.shape[1] != len(self.schema.targets):
            text = f"the model returned {scores.shape[1]} outputs for {len(self.schema.targets)} targets"
            raise DoesNotFit("MODEL_FAILED", text)
        if not np.isfinite(scores).all():
            row, column = (int(i) for i in np.argwhere(~np.isfinite(scores))[0])
            text = f"the model returned {scores[row, column]} for target {self.schema.targets[column].name!r}"
            raise DoesNotFit("MODEL_OUTPUT_NOT_FINITE", text)
        return scores
