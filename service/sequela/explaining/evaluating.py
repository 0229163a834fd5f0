"""v(z): the values of coalitions on the link's scale, whichever way the model is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.errors import DoesNotFit, SequelaError
from sequela.explaining.asking import Asker
from sequela.explaining.clock import Clock
from sequela.explaining.link import linked
from sequela.explaining.schema import Link
from sequela.timeshap.players import Players

NOT_FINITE = "MODEL_OUTPUT_NOT_FINITE"


class Runs(Protocol):
    """A way to run mixes of one sequence X and one background B through a model."""

    def endpoints(self, players: Players) -> NDArray[np.float64]:
        """Raw outputs (2, outputs) of B and X."""

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        """Raw outputs (n, outputs) of coalitions (n, players).

        Raises TimeUp past `until`, Cancelled when the caller is gone, DoesNotFit when the model fails.
        """


class Evaluator:
    """The values of coalitions of one request, for some targets, after the link."""

    def __init__(self, runs: Runs, targets: Sequence[int], link: Link, asker: Asker) -> None:
        self.asker = asker
        self.clipped = 0
        self._runs, self._targets, self._link = runs, list(targets), link

    @property
    def clock(self) -> Clock:
        """The request's."""
        return self.asker.clock

    def values(
        self, players: Players, coalitions: NDArray[np.bool_], until: float = np.inf
    ) -> NDArray[np.float64]:
        """Values (n, targets) of coalitions (n, players). Raises as `Runs.outputs` does."""
        raw = self._runs.outputs(players, coalitions, until)
        result = linked(self._link, raw[:, self._targets])
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
        try:
            return self._runs.endpoints(players)[:, self._targets]
        except DoesNotFit as error:
            if error.reason != NOT_FINITE:
                raise
            try:
                self.score(players)
            except SequelaError:  # it is the sequence's own, or the model fails for good
                raise error from None
            text = f"{error.message} with the background alone, which is the base value: choose another background, "
            text += (
                "such as an average event; zeros may be padding to the model, or outside of what it can take"
            )
            raise DoesNotFit(NOT_FINITE, text) from None
