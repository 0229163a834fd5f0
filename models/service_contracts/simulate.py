"""Simulates customers of a maintenance service, month by month for a year.

What is planted follows what AttributionHeatmap reports of real ones (section VI). Customers who leave are visited often
at first and seldom later, or the other way round; they get scheduled visits where others get a quick unscheduled
repair; and they use their machines less and less from the middle of the year. Customers who stay are visited evenly.
A share of the customers behaves like the other class, so no model can be right about all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.service_contracts.features import FEATURES, KINDS, WORK, standardise

MONTHS = 12
CUSTOMERS = 2584
"""As many as in the paper, which gives 31,008 months."""
CHURNED = 0.45
MISLEADING = 0.15
"""The share of customers who behave like the other class."""
LATE_RUSH = 0.3
"""The share of those who leave that are hardly visited at first and often later."""

# The probabilities of the kinds of maintenance, in the order of KINDS, for customers who stay and who leave.
_KIND_STAYS = (0.25, 0.5, 0.15, 0.1)
_KIND_LEAVES = (0.62, 0.15, 0.08, 0.15)
# The probabilities of the kinds of work for each kind of maintenance, in the order of WORK.
_WORK = np.array(
    [
        [0.40, 0.05, 0.10, 0.22, 0.18, 0.05, 0.00],
        [0.05, 0.45, 0.20, 0.00, 0.05, 0.05, 0.20],
        [0.05, 0.00, 0.30, 0.00, 0.15, 0.50, 0.00],
        [0.30, 0.00, 0.00, 0.00, 0.10, 0.20, 0.40],
    ]
)


@dataclass(frozen=True, slots=True)
class Customer:
    """A year of a customer.

    Args:
        id: a name.
        values: the features of each month, (12, 14), oldest first, as people read them.
        churned: whether the contract was not renewed.
        segment: large or small, by its use.
    """

    id: str
    values: NDArray[np.float64]
    churned: bool
    segment: str

    def inputs(self) -> NDArray[np.float32]:
        """Returns the input of the model, (12, 14), standardised."""
        columns = [standardise(feature, self.values[:, place]) for place, feature in enumerate(FEATURES)]
        return np.stack(columns, axis=1)


def draw_customers(seed: int, count: int = CUSTOMERS) -> list[Customer]:
    """Simulates customers; each depends on the seed and its number only."""
    return [_customer(np.random.default_rng((seed, index)), index) for index in range(count)]


def _customer(rng: np.random.Generator, index: int) -> Customer:
    churned = bool(rng.random() < CHURNED)
    leaves = churned != bool(rng.random() < MISLEADING)
    size = rng.lognormal(0.0, 0.6)
    visits = _visits(rng, leaves)
    counts = [_month(rng, int(number), leaves) for number in visits]
    use = _use(rng, size, leaves)
    values = np.column_stack([use, visits, np.array(counts)])
    return Customer(f"customer-{index:04d}", values, churned, "large" if size > 1.2 else "small")


def _visits(rng: np.random.Generator, leaves: bool) -> NDArray[np.int64]:
    """The number of interactions in each month."""
    mean = rng.gamma(4.0, 0.5)
    progress = np.linspace(0.0, 1.0, MONTHS)
    course = np.ones(MONTHS)
    if leaves:
        late = rng.random() < LATE_RUSH
        course = np.where(progress < 0.5, 0.15, 2.2 * progress) if late else 2.0 - 1.9 * progress
    return np.minimum(rng.poisson(mean * course), 12)


def _month(rng: np.random.Generator, number: int, leaves: bool) -> NDArray[np.int64]:
    """How many interactions of each kind of maintenance and of work a month has, (11,)."""
    kinds = rng.multinomial(number, _KIND_LEAVES if leaves else _KIND_STAYS)
    work = np.zeros(len(WORK), dtype=np.int64)
    for kind in range(len(KINDS)):
        work += rng.multinomial(kinds[kind], _WORK[kind])
    return np.concatenate([kinds, work])


def _use(rng: np.random.Generator, size: float, leaves: bool) -> NDArray[np.float64]:
    """Pages and machine hours of each month, (12, 2)."""
    months = np.arange(MONTHS)
    decline = np.exp(-0.16 * np.maximum(months - 5, 0)) if leaves else np.ones(MONTHS)
    pages = 9000.0 * size * decline * rng.lognormal(0.0, 0.35, MONTHS)
    hours = pages / rng.uniform(25.0, 45.0) * rng.lognormal(0.0, 0.15, MONTHS)
    return np.column_stack([pages.round(), hours.round(1)])
