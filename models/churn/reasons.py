"""The reason templates of the schema, in the words of somebody who looks after customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = "1"
"""Changes with the texts: every reason states it."""
ENDINGS = {"raises": "points to churn", "lowers": "speaks against churn"}
SUBJECTS: Mapping[str, str] = {
    "purchases": "The number of purchases ({value} in the month of {time})",
    "cds": "The number of CDs ({value} in the month of {time})",
    "spend": "The spend ({value} in the month of {time})",
    "months_since_purchase": "The time since the last purchase ({value} in the month of {time})",
}
"""What a reason is about, for each feature."""
EVENT = "The month of {time}"
ALL_MONTHS = {
    "raises": "{label}: the recent months point to churn.",
    "lowers": "{label}: the recent months speak against churn.",
}
"""For a feature over all months, which has no time of its own."""


def reason_templates() -> dict[str, Any]:
    """The key `reasons` of the schema: for a feature of a month, a feature of all months, and a whole month."""
    of_cells = [
        {"feature": feature, "direction": direction, "text": f"{subject} {ending}."}
        for feature, subject in SUBJECTS.items()
        for direction, ending in ENDINGS.items()
    ]
    of_features = [{"feature": "*", "direction": way, "text": text} for way, text in ALL_MONTHS.items()]
    of_months = [{"direction": way, "text": f"{EVENT} {ending}."} for way, ending in ENDINGS.items()]
    return {"version": VERSION, "templates": of_cells + of_features + of_months}
