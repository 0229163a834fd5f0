"""v(S): the values of coalitions on the link's scale, however the model is run."""

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
    """A way to run perturbations h_X(z) of one sequence X and one background B through a model."""

    def live(self, players: Players) -> NDArray[np.bool_]:
        """Which players can change an output, (players,).

        The others have no cell that differs between X and B, or none that the model is run on.
        """

    def endpoints(self, players: Players) -> NDArray[np.float64]:
        """Raw outputs (2, outputs) of B and X."""

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        """Raw outputs (n, outputs) of coalitions (n, players).

        Raises:
            DeadlinePassed: `until`, in seconds on the monotonic clock, has passed.
            Cancelled: The caller is gone.
            DoesNotFit: The model fails.
        """

    def seconds(self, coalitions: int) -> float:
        """An upper estimate of the seconds that so many coalitions take; 0 if nothing is known."""


class Evaluator:
    """The values of coalitions of one request, for some targets, after the link.

    Args:
        execution: Runs the model.
        targets: The columns of the outputs that are explained.
        link: The scale of the values.
        caller: The request's.

    Attributes:
        clipped: The coalitions that the link has clipped so far, without the empty one and the one of all players.
        clipped_ends: How many of these two it has clipped.
    """

    def __init__(self, execution: Execution, targets: Sequence[int], link: Link, caller: ModelCaller) -> None:
        self.caller = caller
        self.clipped = self.clipped_ends = 0
        self.link = link
        self._execution, self._targets = execution, list(targets)
        self._ends: NDArray[np.float64] | None = None

    def of(self, places: Sequence[int]) -> Evaluator:
        """An evaluator for some of the targets: those at these positions, in this order."""
        # Often all targets are explained in the model's order.
        if list(places) == list(range(len(self._targets))):
            return self
        targets = [self._targets[place] for place in places]
        picked = Evaluator(self._execution, targets, self.link, self.caller)
        if self._ends is not None:
            picked._keep_ends(self._ends[:, list(places)])
        return picked

    @property
    def deadline(self) -> Deadline:
        """The request's deadline."""
        return self.caller.deadline

    def live(self, players: Players) -> NDArray[np.bool_]:
        """Which players can change a value, (players,)."""
        return self._execution.live(players)

    def values(
        self, players: Players, coalitions: NDArray[np.bool_], until: float = np.inf
    ) -> NDArray[np.float64]:
        """Values (n, targets) of coalitions (n, players). Raises as `Execution.outputs` does."""
        raw = self._execution.outputs(players, coalitions, until)
        # The model gives all outputs anyway; only the explained ones go on.
        result = linked(self.link, raw[:, self._targets])
        self.clipped += result.clipped
        return result.values

    def score(self, players: Players) -> NDArray[np.float64]:
        """f(X) alone before the link, (1, targets). Raises as `Execution.outputs` does."""
        everyone = np.ones((1, len(players)), dtype=bool)
        return self._execution.outputs(players, everyone, np.inf)[:, self._targets]

    def endpoints(self, players: Players) -> NDArray[np.float64]:
        """f(B) and f(X) before the link, (2, targets).

        Raises as `Execution.outputs` does. If a score is not finite, the error says whether it is the background's.
        """
        raw = self._base_and_score(players)[:, self._targets]
        self._keep_ends(raw)
        return raw

    def _base_and_score(self, players: Players) -> NDArray[np.float64]:
        try:
            return self._execution.endpoints(players)
        except DoesNotFit as error:
            # Find out whether the sequence alone works. Then it is the background that the model cannot take.
            if error.reason != NOT_FINITE:
                raise
            try:
                self.score(players)
            except SequelaError:
                # The sequence fails as well, so the background is not to blame.
                raise error from None
            text = (
                f"{error.message} with the background alone, which is the base value: choose another background, such "
                "as an average event; zeros may be padding to the model, or outside of what it can take"
            )
            raise DoesNotFit(NOT_FINITE, text) from None

    def _keep_ends(self, raw: NDArray[np.float64]) -> None:
        self._ends, self.clipped_ends = raw, linked(self.link, raw).clipped

    def seconds(self, coalitions: int) -> float:
        """An upper estimate of the seconds that so many coalitions take; 0 if nothing is known."""
        return self._execution.seconds(coalitions)
