"""How the numbers of a model's input are shown in their own units, as the server shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, SupportsFloat

import numpy as np

Transform = Literal["none", "log1p"]

MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Display:
    """Converts a number x of the model's input to its own unit: the inverse of `transform`, applied to mean + scale x.

    Args:
        transform: what was done to the raw value before it was standardised: none, or log1p for log(1 + raw).
        mean: the mean of the transformed values.
        scale: what they were divided by; never 0.
        decimals: how many digits after the decimal point are shown.
    """

    transform: Transform = "none"
    mean: float = 0.0
    scale: float = 1.0
    decimals: int = 2

    def shown(self, x: float) -> float:
        """Returns a number of the model's input in its own unit."""
        raw = self.mean + self.scale * float(x)
        if self.transform == "none":
            return raw
        # Too large a number is infinite, as in the server.
        with np.errstate(over="ignore"):
            return float(np.expm1(raw))

    def encoded(self, shown: float) -> float:
        """Returns the number of the model's input for a value in its own unit; NaN if there is none."""
        raw = float(shown)
        if self.transform == "log1p":
            with np.errstate(invalid="ignore", divide="ignore"):
                raw = float(np.log1p(raw))
        return (raw - self.mean) / self.scale

    def text(self, x: SupportsFloat) -> str:
        """Returns the text that explanations have for a number of the model's input: "2,109.43", "yes" or "missing".

        x is the number as the model takes it: in the type of its input, in which a flag is a bool.
        """
        if isinstance(x, bool | np.bool_):
            return "yes" if x else "no"
        if np.isnan(number := float(x)):
            return MISSING
        raw = self.shown(number)
        text = f"{raw:,.{self.decimals}f}"
        if float(text.replace(",", "")) != 0:
            return text
        # Without a schema nobody has chosen the digits, and a small number must not be shown as 0.
        return f"{raw:.3g}" if raw and self == Display() else text.removeprefix("-")
