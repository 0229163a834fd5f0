"""v(z): the values of coalitions on the link's scale, whichever way the model is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline
from sequela.errors import DoesNotFit, SequelaError
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.link import linked
from sequela.explain.schema import Link
from sequela.timeshap.players import Players

NOT_FINITE = "MODEL_OUTPUT_NOT_FINITE"


class Execution(Protocol):
    """A way to run mixes of one sequence X and one background B through a model."""

    def live(self, players: Players) -> NDArray[np.bool_]:
        """Which players can change an output, (players,); the others have no cell that differs, or none that is run."""

    def endpoints(self, players: Players) -> NDArray[np.float64]:
        """Raw outputs (2, outputs) of B and X."""

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        """Raw outputs (n, outputs) of coalitions (n, players).

        Raises TimeUp past `until`, Cancelled when the caller is gone, DoesNotFit when the model fails.
        """

    def seconds(self, coalitions: int) -> float:
        """What so many coalitions may take, at a guess on the safe side; 0 where there is nothing to guess by."""


class Evaluator:
    """The values of coalitions of one request, for some targets, after the link.

    clipped: coalitions that the link clipped so far, but for ∅ and N; clipped_ends: of these two.
    """

    def __init__(self, runs: Execution, targets: Sequence[int], link: Link, caller: ModelCaller) -> None:
        self.caller = caller
        self.clipped = self.clipped_ends = 0
        self._runs, self._targets, self.link = runs, list(targets), link
        self._ends: NDArray[np.float64] | None = None

    def of(self, places: Sequence[int]) -> Evaluator:
        """The same for some of its targets, by place, in this order."""
        if list(places) == list(range(len(self._targets))):
            return self
        picked = Evaluator(self._runs, [self._targets[place] for place in places], self.link, self.caller)
        if self._ends is not None:
            picked._look_at_ends(self._ends[:, list(places)])
        return picked

    @property
    def deadline(self) -> Deadline:
        """The request's."""
        return self.caller.deadline

    def live(self, players: Players) -> NDArray[np.bool_]:
        """Which players can change a value, (players,)."""
        return self._runs.live(players)

    def values(
        self, players: Players, coalitions: NDArray[np.bool_], until: float = np.inf
    ) -> NDArray[np.float64]:
        """Values (n, targets) of coalitions (n, players). Raises as `Execution.outputs` does."""
        raw = self._runs.outputs(players, coalitions, until)
        result = linked(self.link, raw[:, self._targets])
        self.clipped += result.clipped
        return result.values

    def score(self, players: Players) -> NDArray[np.float64]:
        """f(X) alone before the link, (1, targets)."""
        everyone = np.ones((1, len(players)), dtype=bool)
        return self._runs.outputs(players, everyone, np.inf)[:, self._targets]

    def endpoints(self, players: Players) -> NDArray[np.float64]:
        """f(B) and f(X) before the link, (2, targets). Raises as `values` does; where a score is not finite, the error
        says whether it is the background's.
        """
        raw = self._both(players)[:, self._targets]
        self._look_at_ends(raw)
        return raw

    def _both(self, players: Players) -> NDArray[np.float64]:
        try:
            return self._runs.endpoints(players)
        except DoesNotFit as error:
            if error.reason != NOT_FINITE:
                raise
            try:
                self.score(players)
            except SequelaError:  # it is the sequence's own, or the model fails for good
                raise error from None
            text = (
                f"{error.message} with the background alone, which is the base value: choose another background, such "
                "as an average event; zeros may be padding to the model, or outside of what it can take"
            )
            raise DoesNotFit(NOT_FINITE, text) from None

    def _look_at_ends(self, raw: NDArray[np.float64]) -> None:
        self._ends, self.clipped_ends = raw, linked(self.link, raw).clipped

    def seconds(self, coalitions: int) -> float:
        """What so many coalitions may take, at a guess on the safe side; 0 where there is nothing to guess by."""
        return self._runs.seconds(coalitions)
