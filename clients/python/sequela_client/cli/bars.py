"""Bars beside a zero line: what raises the score on the right, what lowers it on the left, each in a colour."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

# Two colours of Okabe and Ito that everybody can tell apart, on dark and on light backgrounds.
RAISES = "#D55E00"
LOWERS = "#0072B2"


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one scale.

    Args:
        half: characters on each side of the line.
        largest: the value whose bar fills them.
        block: the character of a bar.
        line: the character of the line.
    """

    half: int
    largest: float
    block: str = "█"
    line: str = "│"

    @classmethod
    def fitting(cls, console: Console, values: list[float]) -> Bars:
        """Bars that are as wide as the terminal allows, of plain characters if its encoding has no blocks."""
        # The other columns need about 56 characters; longer bars than 14 add nothing.
        half = min(max((console.width - 56) // 4, 0), 14)
        largest = max(map(abs, values), default=0.0)
        unicode = console.encoding.lower().startswith("utf")
        return cls(half, largest) if unicode else cls(half, largest, "#", "|")

    @property
    def head(self) -> str:
        """The heading over the bars, which says which side is which."""
        if self.half < len("raises"):
            return ""
        return f"{'lowers'.rjust(self.half)}{self.line}raises"

    def draw(self, value: float) -> Text:
        """One bar; from a hundredth of the largest value on it has at least one block."""
        share = abs(value) / self.largest if self.largest else 0.0
        # A small attribution must not look like 0.
        length = max(round(share * self.half), int(share >= 0.01))
        if not self.half:
            return Text()
        bar = self.block * length
        if value < 0:
            return Text.assemble((bar.rjust(self.half), LOWERS), (self.line, "dim"), " " * self.half)
        return Text.assemble(" " * self.half, (self.line, "dim"), (bar.ljust(self.half), RAISES))
