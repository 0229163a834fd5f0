"""The score from which a prediction is an alert, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from sequela_client.alert_document.model_name import model_names

LABEL = "threshold"
"""The label in which callers send the threshold of a score."""
DEFAULT = 0.5
"""The threshold of scores in [0, 1] if no other one was given."""


@dataclass(frozen=True, slots=True)
class AlertThreshold:
    """A threshold, on the scale of the raw score.

    Args:
        value: the threshold; None if there is none.
        source: label, setting, default or none.
    """

    value: float | None
    source: str

    def reached(self, raw_score: float) -> bool | None:
        """Returns whether a score is an alert; None without a threshold."""
        return None if self.value is None else raw_score >= self.value


def alert_threshold(
    labels: Mapping[str, str], model: str, in_unit_interval: bool, settings: Mapping[str, float]
) -> AlertThreshold:
    """Returns the threshold of an explanation.

    Args:
        labels: its labels.
        model: the name of its model, `models/m/versions/v`.
        in_unit_interval: whether the output lies in [0, 1].
        settings: the operator's thresholds, by model; "" for all others.
    """
    sent = _number(labels.get(LABEL, ""))
    if sent is not None:
        return AlertThreshold(sent, "label")
    found = threshold_setting(model, settings)
    if found is not None:
        return AlertThreshold(found, "setting")
    return AlertThreshold(DEFAULT, "default") if in_unit_interval else AlertThreshold(None, "none")


def threshold_setting(model: str, settings: Mapping[str, float]) -> float | None:
    """Returns the operator's threshold of a model: that of its most exact name, or else that of all other models."""
    return next((settings[name] for name in (*model_names(model), "") if name in settings), None)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
