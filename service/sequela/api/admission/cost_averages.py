"""Compares the time that requests of each model take with the estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cachetools import LRUCache

from sequela.api.admission.cost import estimated_seconds, scoring_seconds
from sequela.api.admission.ticket import Ticket

MAX_MODELS = 1_000
NEWEST_WEIGHT = 0.1
"""Weight of the latest request in the moving averages."""
FIRST_OVERTIME_SECONDS = 0.001
"""The assumed time by which answers exceed their time limit, until one has been measured."""
FIRST_FLOOR_SECONDS = 0.002
"""The assumed time to decode and resolve a request, until a request has been cut too short for an answer."""
MAX_FLOOR_SECONDS = 0.05
FLOOR_GROWTH, FLOOR_DECAY = 1.5, 0.98
"""The floor rises when a request was cut so short that there was no answer, and falls with every answer."""
QUICKEST_GROWTH = 1.02
"""The factor by which the time of the quickest answer grows with each later one, so that it is forgotten after a while.
"""
FIRST_ANSWERS = 5
"""Of this many first answers of a model only the quickest counts, because the others also fill caches."""
MAX_OVERTIME_SECONDS = 0.05
"""The largest excess that counts. A longer one has other causes, such as another process."""


@dataclass(slots=True)
class _ModelCost:
    """What is known of a model. `ratio` and `quickest_ratio` are measured times divided by the estimate."""

    ratio: float = 1.0
    floor_seconds: float = FIRST_FLOOR_SECONDS
    overtime_seconds: float = FIRST_OVERTIME_SECONDS
    quickest_ratio: float = math.inf
    count: int = 0

    def note_ratio(self, ratio: float) -> None:
        self.count += 1
        if self.count == 1:
            self.ratio = ratio
        elif self.count <= FIRST_ANSWERS:
            self.ratio = min(self.ratio, ratio)
        else:
            self.ratio += NEWEST_WEIGHT * (ratio - self.ratio)


class CostAverages:
    """Moving averages for each model. Must be used from a single thread.

    Until a request for a model has been answered, there is only the estimate, which does not depend on the model or the
    machine. It is good enough to share time and to let clients take turns, but not to refuse requests.
    """

    def __init__(self) -> None:
        self._models: LRUCache[tuple[str, type], _ModelCost] = LRUCache(MAX_MODELS)
        self._service_seconds, self._count = 0.0, 0

    @property
    def service_seconds(self) -> float:
        """How long a request takes on average, of all models together; 0 before the first has ended."""
        return self._service_seconds

    def seconds(self, ticket: Ticket, error_factor: float) -> float:
        """Returns how long one core is expected to need for the request."""
        return self._cost(ticket).ratio * estimated_seconds(ticket.shape, error_factor)

    def is_measured(self, ticket: Ticket) -> bool:
        """Returns whether any request for the model has been answered, so that costs are more than a guess."""
        return self._cost(ticket).count > 0

    def least_seconds(self, ticket: Ticket) -> float:
        """Returns how long the roughest answer to the request takes; 0 if nothing was measured yet."""
        cost = self._cost(ticket)
        if not cost.count:
            return 0.0
        least = cost.floor_seconds + cost.ratio * scoring_seconds(ticket.shape) + cost.overtime_seconds
        return min(least, cost.quickest_ratio * estimated_seconds(ticket.shape))

    def overtime_seconds(self, ticket: Ticket) -> float:
        """Returns how long an answer takes beyond the time that it was given."""
        return self._cost(ticket).overtime_seconds

    def note(self, ticket: Ticket, seconds: float, over: float) -> None:
        """Counts an answer.

        Args:
            ticket: The request, with the factor that was used.
            seconds: How long it took.
            over: By how much it exceeded its time limit; negative if it ended before.
        """
        cost = self._cost(ticket)
        cost.floor_seconds *= FLOOR_DECAY
        self._count += 1
        self._service_seconds += _weight(self._count) * (seconds - self._service_seconds)
        quickest = seconds / estimated_seconds(ticket.shape)
        cost.quickest_ratio = min(QUICKEST_GROWTH * cost.quickest_ratio, quickest)
        ratio = seconds / estimated_seconds(ticket.shape, ticket.error_factor)
        if over >= 0:
            late = min(over, MAX_OVERTIME_SECONDS)
            cost.overtime_seconds += NEWEST_WEIGHT * (late - cost.overtime_seconds)
        # How long an answer that was cut short would have taken in full is not known, except that it is longer.
        if over < 0 or not cost.count or ratio > cost.ratio:
            cost.note_ratio(ratio)

    def note_too_short(self, ticket: Ticket) -> None:
        """Counts a request that had to give way to others so much that there was no answer."""
        cost = self._cost(ticket)
        cost.floor_seconds = min(FLOOR_GROWTH * cost.floor_seconds, MAX_FLOOR_SECONDS)

    def _cost(self, ticket: Ticket) -> _ModelCost:
        # Scoring and explaining with a model have separate averages.
        key = (ticket.model, type(ticket.shape))
        found = self._models.get(key)
        if found is None:
            found = self._models[key] = _ModelCost()
        return found


def _weight(count: int) -> float:
    """Returns the weight of the latest of `count` values: that of a plain mean, but at least `NEWEST_WEIGHT`."""
    return max(NEWEST_WEIGHT, 1 / count)
