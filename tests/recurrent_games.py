"""Games whose players are the events of a random GRU's sequence, in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from games import Array, Coalitions

HIDDEN = 12
COLUMNS = 5


@dataclass(frozen=True, eq=False)
class EventGame:
    """v(S): the score of a sequence whose events outside S come from the background. It has one target and no closed
    form.
    """

    inward: Array  # (columns, 3 hidden): update, reset, candidate
    across: Array  # (hidden, 3 hidden)
    outward: Array  # (hidden,)
    sequence: Array  # (events, columns)
    background: Array  # (columns,)

    def __call__(self, coalitions: Coalitions) -> Array:
        state = np.zeros((len(coalitions), len(self.across)))
        for event, present in zip(self.sequence, coalitions.T, strict=True):
            state = self._step(np.where(present[:, None], event, self.background), state)
        return _sigmoid(state @ self.outward)[:, None]

    def _step(self, event: Array, state: Array) -> Array:
        update, reset, candidate = np.split(event @ self.inward, 3, axis=1)
        past_update, past_reset, past_candidate = np.split(state @ self.across, 3, axis=1)
        kept = _sigmoid(update + past_update)
        fresh = np.tanh(candidate + _sigmoid(reset + past_reset) * past_candidate)
        mixed: Array = (1 - kept) * fresh + kept * state
        return mixed


def event_game(events: int, seed: int) -> EventGame:
    """Returns a game whose weights are large enough for the events to interact."""
    rng = np.random.default_rng(seed)
    return EventGame(
        inward=rng.normal(size=(COLUMNS, 3 * HIDDEN)) * 1.5 / np.sqrt(COLUMNS),
        across=rng.normal(size=(HIDDEN, 3 * HIDDEN)) * 1.5 / np.sqrt(HIDDEN),
        outward=rng.normal(size=HIDDEN) * 2 / np.sqrt(HIDDEN),
        sequence=rng.normal(size=(events, COLUMNS)),
        background=rng.normal(size=COLUMNS) * 0.3,
    )


def _sigmoid(x: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-x))
    return result
