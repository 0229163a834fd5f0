"""Helpers for figures with one row for each feature or group, and its name on the left."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.plots.style import LABEL_WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A name has at most this many lines in a figure. The table beside it has the whole name.
MOST_LINES = 2


def column(table: Any, name: str) -> NDArray[np.float64]:
    """Returns a column of a Table as numbers, with NaN for null."""
    return np.array([np.nan if each is None else each for each in table[name].to_pylist()], dtype=np.float64)


def short(name: Any) -> str:
    """Returns a name in at most two lines of printable characters. An ellipsis marks what is cut off."""
    text = "(no value)" if name is None else "".join(c if c.isprintable() else " " for c in str(name))
    lines = textwrap.wrap(text, LABEL_WIDTH, max_lines=MOST_LINES, placeholder="…") or ["(empty)"]
    return "\n".join(lines)


def with_error(value: float, half: float) -> str:
    """Returns a signed number with half of its interval, which has two digits."""
    if not np.isfinite(value):
        return "none"
    known = np.isfinite(half) and half > 0
    # At least three decimals, and no more than a double has.
    digits = int(np.clip(1 - np.floor(np.log10(half)), 3, 8)) if known else 3
    return f"{value:+.{digits}f} ± {half:.{digits}f}" if known else f"{value:+.{digits}f}"


def row_labels(axes: Axes, names: Sequence[str]) -> None:
    """Labels the rows 0, 1, … of the y axis, the first on top."""
    axes.set_yticks(np.arange(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
