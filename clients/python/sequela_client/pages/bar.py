"""Computes the bars of a table as positions in small SVG drawings. All bars of a table have the same scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sequela_client.attributions import Attribution

# The drawing is 200 wide. The outermost 4 on each side leave room for the width of strokes.
_WIDTH, _EDGE = 200.0, 4.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. Positions are from the left.

    Args:
        side: "raises" or "lowers".
        zero: where 0 is.
        start: where the bar begins.
        width: its width.
        low: the lower end of the error bar.
        high: its upper end.
        has_error: whether there is an error bar.
    """

    side: str
    zero: float
    start: float
    width: float
    low: float
    high: float
    has_error: bool


@dataclass(frozen=True, slots=True)
class BarScale:
    """A scale that holds 0 and the ends of all bars and error bars."""

    low: float
    high: float

    @classmethod
    def of(cls, items: Iterable[Attribution]) -> BarScale:
        """Returns the scale on which all these attributions can be drawn."""
        ends = [end for item in items for end in _ends(item)]
        return cls(min([0.0, *ends]), max([0.0, *ends]))

    def draw(self, item: Attribution) -> Bar:
        """Returns the bar of an attribution."""
        zero, end = self._place(0.0), self._place(item.value)
        low, high = map(self._place, _ends(item))
        side = "lowers" if item.value < 0 else "raises"
        return Bar(side, zero, min(zero, end), round(abs(end - zero), 2), low, high, item.standard_error > 0)

    def _place(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return round(_EDGE + share * (_WIDTH - 2 * _EDGE), 2)


def _ends(item: Attribution) -> tuple[float, float]:
    return item.value - item.margin, item.value + item.margin
