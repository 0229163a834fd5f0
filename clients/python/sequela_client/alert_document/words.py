"""Numbers in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation


SMALLEST = 0.001
"""Smaller effects are written as `< 0.001`, as in the rest of the console."""


def signed(value: float) -> str:
    """Returns an effect with its sign, such as `+0.230`, with the decimals of the page."""
    if value and abs(value) < SMALLEST:
        return f"> −{SMALLEST}" if value < 0 else f"< +{SMALLEST}"
    return f"{value:+,.{3 if abs(value) < 100 else 0}f}".replace("-", "−")


def scale_noun(explanation: Explanation) -> str:
    """Returns what the effects of an explanation are amounts of."""
    return "log-odds" if explanation.options.link == "logit" else "score"


def amount(value: float) -> str:
    """Returns a number without sign in three digits, such as `0.025`."""
    return f"< {SMALLEST}" if value and abs(value) < SMALLEST else f"{abs(value):.3g}"


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun: `1 event`, `44 events`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
