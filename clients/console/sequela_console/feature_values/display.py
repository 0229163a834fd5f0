"""Numbers of the model in people's units, and back."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Protocol

from sequela_client.resources import ModelFeature

MISSING = "missing"


class NumberDisplay(Protocol):
    """How people read a number of the model."""

    def shown(self, x: float) -> float:
        """Returns the model's number in people's units."""

    def encoded(self, shown: float) -> float:
        """Returns a number in people's units as the model takes it."""

    def text(self, x: float) -> str:
        """Returns the model's number as people read it, without its unit."""


@dataclass(frozen=True, slots=True)
class RawNumbers:
    """Numbers that are shown as the model takes them, with up to six significant digits."""

    def shown(self, x: float) -> float:
        """Returns the number itself."""
        return x

    def encoded(self, shown: float) -> float:
        """Returns the number itself."""
        return shown

    def text(self, x: float) -> str:
        """Returns the number with up to six significant digits."""
        return MISSING if isnan(x) else f"{x:,.6g}"


def number_display(feature: ModelFeature) -> NumberDisplay:
    """Returns how a feature's numbers are shown, as its model's schema says."""
    found: NumberDisplay | None = getattr(feature, "display", None)
    return found or RawNumbers()


def rounded(display: NumberDisplay, x: float) -> float:
    """Returns the model's number in people's units, as it is printed."""
    try:
        return float(display.text(x).replace(",", ""))
    except ValueError:  # the text is a word, such as `missing`
        return display.shown(x)
