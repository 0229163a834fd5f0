"""Runs the command in tests, and reads its output."""

import re
from collections.abc import Callable

from click.testing import Result

Run = Callable[..., Result]


def section(output: str, title: str) -> list[str]:
    """Returns those lines of one table that have an attribution."""
    rest = output.split(f"\n{title} ")[1]
    lines = re.split(r"\n(?:Events|Features|Cells) ", rest)[0].splitlines()
    return [line for line in lines if re.search(r"[+-]\d+\.\d+ (±|exact)", line)]
