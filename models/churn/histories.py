"""What the model sees of a customer: one event for each calendar month, from the first purchase to a cut-off."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from models.churn.features import FEATURES, standardise
from models.churn.purchases import LAST_DAY, Purchases

HORIZON_MONTHS = 6
"""A customer has churned who buys nothing in these months after the cut-off."""
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
SPLIT_SEED = 1


class Split(Enum):
    """What a customer's history is used for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class History:
    """The months of one customer, oldest first.

    Attributes:
        customer: CDNOW's number of the customer.
        months: (l,) datetime64[M]; the last one is the month of the cut-off.
        values: (l, 4) raw values, in the order of `FEATURES`.
        churned: whether nothing was bought in the half-year after the cut-off.
    """

    customer: int
    months: NDArray[np.datetime64]
    values: NDArray[np.float64]
    churned: bool

    def __len__(self) -> int:
        """The number of months."""
        return len(self.months)

    @property
    def purchases(self) -> int:
        """The number of purchases up to the cut-off."""
        return int(self.values[:, 0].sum())

    def inputs(self) -> NDArray[np.float32]:
        """The model's input, (l, 4)."""
        columns = zip(FEATURES, self.values.T, strict=True)
        return np.stack([standardise(feature, column) for feature, column in columns], axis=1)


def histories(purchases: Purchases, last_month: str) -> list[History]:
    """The histories of all customers who bought something up to the end of a month.

    Args:
        purchases: of all customers, by customer and then by day.
        last_month: the month at whose end the history is cut off, such as "1997-12".

    Raises:
        ValueError: the data does not cover the half-year after the cut-off.
    """
    last = np.datetime64(last_month, "M")
    end = last + 1 + HORIZON_MONTHS
    if end.astype("datetime64[D]") - 1 > LAST_DAY:
        latest = LAST_DAY.astype("datetime64[M]") - HORIZON_MONTHS
        raise ValueError(
            f"the last month is {last}, but the purchases of the half-year after it must be known, and the data ends "
            f"on {LAST_DAY}. It can be {latest} at most"
        )
    month = purchases.day.astype("datetime64[M]")
    after = np.unique(purchases.customer[(month > last) & (month < end)])
    known = purchases.where(month <= last)
    customers, starts = np.unique(known.customer, return_index=True)
    rows = np.split(np.arange(len(known)), starts[1:])
    stays = np.isin(customers, after)
    return [
        _history(known.where(own), int(customer), last, churned=not stay)
        for customer, own, stay in zip(customers, rows, stays, strict=True)
    ]


def split_customers(purchases: Purchases) -> dict[int, Split]:
    """The split of each customer: 60 % to train on, 20 % to validate, 20 % to test.

    It depends on the list of customers alone, so that it is the same for every cut-off.
    """
    customers = np.unique(purchases.customer)
    order = np.random.default_rng(SPLIT_SEED).permutation(customers)
    ends = np.round(np.cumsum(list(SHARES.values())) * len(order)).astype(int)
    parts = np.split(order, ends[:-1])
    return {int(customer): split for split, part in zip(Split, parts, strict=True) for customer in part}


def _history(own: Purchases, customer: int, last: np.datetime64, *, churned: bool) -> History:
    """The history of one customer from their purchases up to the end of the last month."""
    bought = own.day.astype("datetime64[M]")
    months = np.arange(bought.min(), last + 1)
    index = (bought - months[0]).astype(int)
    counts = np.bincount(index, minlength=len(months))
    place = np.arange(len(months))
    recent = np.maximum.accumulate(np.where(counts > 0, place, 0))
    values = np.stack(
        [
            counts,
            np.bincount(index, own.cds, len(months)),
            np.bincount(index, own.spend, len(months)),
            place - recent,
        ],
        axis=1,
    )
    return History(customer, months, values.astype(np.float64), churned)
