"""Reads numbers from the text that a server's `/metrics` returns."""

from __future__ import annotations


def sum_of_series(text: str, start: str) -> float:
    """Returns the sum of the series that begin with a name, or with a name and labels."""
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(start))
