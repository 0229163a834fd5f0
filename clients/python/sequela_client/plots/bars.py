"""Attributions as horizontal bars, each with its error bar and its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# From this many rows on, they are closer to each other and have a smaller font.
_MANY = 60
_LINE_HEIGHT = 0.16
_MANY_LINE_HEIGHT = 0.12
_BAR_HEIGHT = 0.66


@dataclass(frozen=True, slots=True)
class BarRow:
    """One bar.

    Args:
        label: its label, which may have several lines.
        value: its length.
        margin: half the length of its error bar, which is the 95 % interval.
        number: value and error as text.
        block: whether it stands for several events together.
    """

    label: str
    value: float
    margin: float
    number: str
    block: bool = False


def bars_height(rows: Sequence[BarRow]) -> float:
    """Returns the height, in inches, that a figure needs for its rows to be legible."""
    line = _LINE_HEIGHT if len(rows) <= _MANY else _MANY_LINE_HEIGHT
    return 1.1 + sum(line * (style.line_count(row.label) + 0.8) for row in rows)


def draw_bars(axes: Axes, rows: Sequence[BarRow], unit: str) -> None:
    """Draws all rows from top to bottom. `unit` says on the axis what the attributions are."""
    size = style.FONT_SIZE if len(rows) <= _MANY else style.FONT_SIZE - 2
    places = _places(rows)
    heights = [_BAR_HEIGHT * min(style.line_count(row.label), 2) for row in rows]
    drawn = axes.barh(
        places,
        [row.value for row in rows],
        height=heights,
        color=[style.WARM if row.value >= 0 else style.COOL for row in rows],
        edgecolor="white",
        linewidth=0.0,
    )
    for patch, row in zip(drawn.patches, rows, strict=True):
        # Without colours, lowering bars and blocks of events can be recognised by their pattern.
        patch.set_hatch(style.BLOCK_HATCH if row.block else style.HATCH if row.value < 0 else "")
    sampled = [(row, place) for row, place in zip(rows, places, strict=True) if row.margin]
    axes.errorbar(
        [row.value for row, _ in sampled],
        [place for _, place in sampled],
        xerr=[row.margin for row, _ in sampled],
        fmt="none",
        ecolor=style.INK,
        elinewidth=1.2,
        capsize=2.5,
        path_effects=style.halo(),
    )
    axes.axvline(0, color=style.INK, linewidth=0.9)
    axes.set_yticks(places, [row.label for row in rows], fontsize=size)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _numbers(axes, rows, places, size)
    _scale(axes, rows, unit)
    axes.set_ylim(max(places, default=0.0) + 1.0, min(places, default=0.0) - 1.0)


def _places(rows: Sequence[BarRow]) -> list[float]:
    """Returns the middle of each row. A row is as high as its lines of text."""
    places, top = [], 0.0
    for row in rows:
        height = 0.5 + 0.5 * style.line_count(row.label)
        places.append(top + height / 2)
        top += height
    return places


def _numbers(axes: Axes, rows: Sequence[BarRow], places: Sequence[float], size: float) -> None:
    """Writes the value and error of each row into a column on the right, where they cover no bar."""
    for place, row in zip(places, rows, strict=True):
        axes.text(
            1.02,
            place,
            row.number,
            transform=axes.get_yaxis_transform(),
            va="center",
            ha="left",
            fontsize=size,
        )


def _scale(axes: Axes, rows: Sequence[BarRow], unit: str) -> None:
    """Makes the axis long enough for 0 and for every bar with its error bar."""
    ends = [end for row in rows for end in (row.value - row.margin, row.value + row.margin)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    span = (high - low) or 1.0
    axes.set_xlim(low - 0.06 * span, high + 0.06 * span)
    style.attribution_axis(axes.xaxis)
    axes.grid(axis="x", color=style.FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"{unit}  (− lowers the score, + raises it; ±: 95 % interval)")
