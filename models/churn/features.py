"""The features of a customer's month: names, units, and their encoding as model inputs.

All are standardised, some after log1p. Means and scales are round numbers near those of the data, so that encoding
needs no data.
"""

from __future__ import annotations

from models.account_takeover.features import Numeric, standardise

__all__ = ["FEATURES", "INPUT", "Numeric", "standardise"]

INPUT = "months"
"""The name of the model's input, (n, l, 4)."""
FEATURES = (
    Numeric(
        "purchases", "Purchases", "", 0.15, 0.35, log=True, description="Number of purchases in the month"
    ),
    Numeric(
        "cds",
        "CDs bought",
        "",
        0.25,
        0.6,
        log=True,
        description="Number of CDs in all purchases of the month",
    ),
    Numeric(
        "spend",
        "Spend",
        "USD",
        0.7,
        1.5,
        log=True,
        decimals=2,
        description="Value of all purchases of the month",
    ),
    Numeric(
        "months_since_purchase",
        "Time since last purchase",
        "months",
        3.5,
        3.0,
        description="0 in a month with a purchase",
    ),
)
