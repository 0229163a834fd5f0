"""Draws bars beside a zero line: to the right for what raises the score, to the left for what lowers it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

# Two colours of Okabe and Ito's palette, which colour-blind people can tell apart, on dark and light backgrounds.
RAISES = "#D55E00"
LOWERS = "#0072B2"


@dataclass(frozen=True, slots=True)
class Bars:
    """Draws bars on one scale.

    Args:
        half: the number of characters on each side of the line.
        largest: the value whose bar fills one side.
        block: the character of a bar.
        line: the character of the line.
    """

    half: int
    largest: float
    block: str = "█"
    line: str = "│"

    @classmethod
    def fitting(cls, console: Console, values: list[float]) -> Bars:
        """Returns bars as wide as the terminal allows, made of ASCII characters if its encoding has no blocks."""
        # The other columns need about 56 characters. Bars of more than 14 characters would show no more.
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
        """Returns one bar. It has at least one block if the value is at least a hundredth of the largest."""
        share = abs(value) / self.largest if self.largest else 0.0
        # A small attribution must not look like 0.
        length = max(round(share * self.half), int(share >= 0.01))
        if not self.half:
            return Text()
        bar = self.block * length
        if value < 0:
            return Text.assemble((bar.rjust(self.half), LOWERS), (self.line, "dim"), " " * self.half)
        return Text.assemble(" " * self.half, (self.line, "dim"), (bar.ljust(self.half), RAISES))
