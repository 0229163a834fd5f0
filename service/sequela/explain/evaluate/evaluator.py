"""v(S): the values of coalitions on the link's scale, independent of how the model is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline
from sequela.errors import DoesNotFit, SequelaError
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.link import apply_link
from sequela.explain.schema import Link
from sequela.timeshap.players import Players

NOT_FINITE = "MODEL_OUTPUT_NOT_FINITE"


class Execution(Protocol):
    """A way to run perturbations h_X(z) of one sequence X and one background B through a model."""

    def live(self, players: Players) -> NDArray[np.bool_]:
        """Returns which players can change an output, (players,).

        The cells of all other players are equal in X and B, or are not part of the events that the model is run on.
        """

    def base_and_score(self, players: Players) -> NDArray[np.float64]:
        """Returns raw outputs (2, outputs) of B and X."""

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        """Returns raw outputs (n, outputs) of coalitions (n, players).

        Raises:
            DeadlinePassed: `until`, in seconds on the monotonic clock, has passed.
            Cancelled: The caller cancelled the request.
            DoesNotFit: The model failed.
        """

    def seconds(self, coalitions: int) -> float:
        """Returns an upper estimate of the time for `coalitions` coalitions in seconds; 0 if it is unknown."""


class Evaluator:
    """Computes the values of coalitions for the targets of one request, after the link.

    Args:
        execution: Runs the model.
        targets: The output columns that are explained.
        link: The scale of the values.
        caller: The model caller of the request.

    Attributes:
        clipped: How many coalitions the link has clipped so far, not counting the empty and the full one.
        clipped_base_and_score: How many of those two it has clipped.
    """

    def __init__(self, execution: Execution, targets: Sequence[int], link: Link, caller: ModelCaller) -> None:
        self.caller = caller
        self.clipped = self.clipped_base_and_score = 0
        self.link = link
        self._execution, self._targets = execution, list(targets)
        self._base_and_score: NDArray[np.float64] | None = None

    def of(self, places: Sequence[int]) -> Evaluator:
        """Returns an evaluator for the targets at these positions, in this order."""
        # Often all targets are explained in the model's order.
        if list(places) == list(range(len(self._targets))):
            return self
        targets = [self._targets[place] for place in places]
        picked = Evaluator(self._execution, targets, self.link, self.caller)
        if self._base_and_score is not None:
            picked._keep_base_and_score(self._base_and_score[:, list(places)])
        return picked

    @property
    def deadline(self) -> Deadline:
        """The request's deadline."""
        return self.caller.deadline

    def live(self, players: Players) -> NDArray[np.bool_]:
        """Returns which players can change a value, (players,)."""
        return self._execution.live(players)

    def values(
        self, players: Players, coalitions: NDArray[np.bool_], until: float = np.inf
    ) -> NDArray[np.float64]:
        """Returns values (n, targets) of coalitions (n, players). Raises as `Execution.outputs` does."""
        raw = self._execution.outputs(players, coalitions, until)
        # The model computes all outputs anyway; only the explained ones are returned.
        result = apply_link(self.link, raw[:, self._targets])
        self.clipped += result.clipped
        return result.values

    def score(self, players: Players) -> NDArray[np.float64]:
        """Returns f(X) before the link, (1, targets). Raises as `Execution.outputs` does."""
        everyone = np.ones((1, len(players)), dtype=bool)
        return self._execution.outputs(players, everyone, np.inf)[:, self._targets]

    def base_and_score(self, players: Players) -> NDArray[np.float64]:
        """Returns f(B) and f(X) before the link, (2, targets).

        Raises as `Execution.outputs` does. If only the background's score is not finite, the error says so.
        """
        raw = self._run_base_and_score(players)[:, self._targets]
        self._keep_base_and_score(raw)
        return raw

    def _run_base_and_score(self, players: Players) -> NDArray[np.float64]:
        try:
            return self._execution.base_and_score(players)
        except DoesNotFit as error:
            # Find out whether the sequence alone works. Then it is the background that the model cannot take.
            if error.reason != NOT_FINITE:
                raise
            try:
                self.score(players)
            except SequelaError:
                # If the sequence fails as well, the background is not the cause.
                raise error from None
            text = (
                f"{error.message} when the background alone is scored (the base value). Choose another "
                "background, such "
                "as an average event: the model may treat zeros as padding, or be undefined there"
            )
            raise DoesNotFit(NOT_FINITE, text) from None

    def _keep_base_and_score(self, raw: NDArray[np.float64]) -> None:
        self._base_and_score, self.clipped_base_and_score = raw, apply_link(self.link, raw).clipped

    def seconds(self, coalitions: int) -> float:
        """Returns an upper estimate of the time for `coalitions` coalitions in seconds; 0 if it is unknown."""
        return self._execution.seconds(coalitions)
