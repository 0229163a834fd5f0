"""The features of a customer's month: names, units, and their encoding as model inputs.

There are fourteen, of the kinds of AttributionHeatmap's Table I: two levels of use, the number of interactions, four
kinds of maintenance, and seven kinds of work. All are standardised, after log1p.
"""

from __future__ import annotations

from models.account_takeover.features import Numeric, standardise

__all__ = ["FEATURES", "INPUT", "KINDS", "WORK", "Numeric", "standardise"]

INPUT = "months"
"""The name of the model's input, (n, l, 14)."""
KINDS = ("scheduled", "unscheduled", "upgrade", "consulting")
"""The kinds of maintenance."""
WORK = ("inspection", "repair", "replacement", "cleaning", "calibration", "software", "remote")
"""The kinds of work that interactions consist of."""

_LABELS = {
    "scheduled": "Scheduled maintenance",
    "unscheduled": "Unscheduled maintenance",
    "upgrade": "Upgrades",
    "consulting": "Consulting",
    "inspection": "Inspections",
    "repair": "Repairs",
    "replacement": "Parts replaced",
    "cleaning": "Cleaning",
    "calibration": "Calibrations",
    "software": "Software updates",
    "remote": "Remote support",
}


def _count(name: str, mean: float, scale: float, what: str) -> Numeric:
    return Numeric(name, _LABELS[name], "", mean, scale, log=True, description=f"{what} in the month")


FEATURES = (
    Numeric("pages", "Pages printed", "", 9.0, 1.2, log=True, description="Use of the machines in the month"),
    Numeric(
        "hours",
        "Machine hours",
        "h",
        5.5,
        0.9,
        log=True,
        description="Time that the machines ran in the month",
    ),
    Numeric(
        "interactions", "Interactions", "", 0.9, 0.6, log=True, description="Visits and calls in the month"
    ),
    *(_count(name, 0.35, 0.45, "Interactions of this kind") for name in KINDS),
    *(_count(name, 0.25, 0.4, "Interactions with this work") for name in WORK),
)
