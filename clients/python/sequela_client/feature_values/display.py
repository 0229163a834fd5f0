"""Numbers of the model in people's units, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequela_client.display import MISSING, Display

if TYPE_CHECKING:
    from sequela_client.resources import ModelFeature

__all__ = ["MISSING", "number_display", "rounded"]

_AS_THEY_ARE = Display()


def number_display(feature: ModelFeature) -> Display:
    """Returns how a feature's numbers are shown, as its model's schema says."""
    return feature.display or _AS_THEY_ARE


def rounded(display: Display, x: float) -> float:
    """Returns the model's number in people's units, as it is printed."""
    try:
        return float(display.text(x).replace(",", ""))
    except ValueError:  # the text is a word, such as `missing`
        return display.shown(x)
