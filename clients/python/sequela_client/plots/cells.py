"""Draws cells as a heat map: features in rows, events in columns, groups of others beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.attributions import Attribution, PlayerKind
from sequela_client.extras import require
from sequela_client.phrases import Phrases, events_name
from sequela_client.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable as Scale

    from sequela_client.explanation import Explanation

CELL_WIDTH, CELL_HEIGHT = 0.78, 0.46
# A row is as high as the longest of their labels. Half a line stands between two labels.
_LINE_HEIGHT, _GAP_LINES = 0.16, 0.5
# Labels are wrapped after this many characters. Columns are narrower than rows.
_COLUMN_LABEL, _ROW_LABEL = 11, 24
# From this share of the scale on, the colour is so dark that text on it is white.
_DARK = 0.55
# Columns and rows are sorted by a key, a tuple whose first number puts groups first or last.
OTHER_ROW = "other features"


@dataclass(frozen=True, slots=True)
class Grid:
    """The place of each attribution in the heat map.

    Args:
        columns: the labels of the columns, the groups of events first, then the events, the latest last.
        rows: the labels of the rows; the other features are last.
        places: the column, the first row and the number of rows of each attribution.
        items: the attributions.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    places: tuple[tuple[int, int, int], ...]
    items: tuple[Attribution, ...]

    @property
    def size(self) -> tuple[float, float]:
        """Returns the width and height, in inches, that a figure needs for its numbers to be legible."""
        lines = max((style.line_count(style.wrapped(label, _ROW_LABEL)) for label in self.rows), default=1)
        row = max(CELL_HEIGHT, _LINE_HEIGHT * (lines + _GAP_LINES))
        return 3.2 + CELL_WIDTH * len(self.columns), 1.5 + row * max(len(self.rows), 2)


def cell_grid(explanation: Explanation, words: Phrases) -> Grid:
    """Gives each attribution of the cell level a place."""
    items = explanation.cells
    columns = sorted({_column(item) for item in items})
    rows = _rows(items, words)
    column_labels = tuple(_column_label(key, items, words) for key in columns)
    names = tuple(words.feature(name) if name else OTHER_ROW for name in rows) or ("",)
    places = tuple((columns.index(_column(item)), *_extent(item, rows)) for item in items)
    return Grid(column_labels, names, places, items)


def _column(item: Attribution) -> tuple[int, int, str]:
    """Returns the key of a column: pruned events, blocks of them, other events, single events, then all else."""
    match item.kind:
        case PlayerKind.PRUNED | PlayerKind.HISTORY:
            return 0, item.first_t or 0, ""
        case PlayerKind.OTHER | PlayerKind.FEATURE_REST:
            return 1, 0, ""
        case PlayerKind.CELL | PlayerKind.EVENT_REST:
            return 2, item.t or 0, ""
        case _:
            return 3, 0, item.kind.value


def _column_label(key: tuple[int, int, str], items: Iterable[Attribution], words: Phrases) -> str:
    item = next(item for item in items if _column(item) == key)
    match key[0]:
        case 0:
            return f"older events {events_name(item)}"
        case 1:
            return "other events"
        case 2:
            return " ".join(filter(None, (f"t={item.t}", words.time(item.t or 0))))
        case _:
            return words.player(item)


def _rows(items: Sequence[Attribution], words: Phrases) -> list[str]:
    """Returns the features of the rows, strongest first, with an empty name for the other features."""
    strength: dict[str, float] = {}
    for item in items:
        if item.kind in (PlayerKind.CELL, PlayerKind.FEATURE_REST):
            strength[item.feature or ""] = strength.get(item.feature or "", 0.0) + abs(item.value)
    rows = sorted(strength, key=lambda name: (-strength[name], words.feature(name)))
    others = any(item.kind in (PlayerKind.EVENT_REST, PlayerKind.OTHER) for item in items)
    return [*rows, ""] if others else rows


def _extent(item: Attribution, rows: Sequence[str]) -> tuple[int, int]:
    """Returns the first row of an attribution, and the number of its rows: all, if it belongs to no feature."""
    match item.kind:
        case PlayerKind.CELL | PlayerKind.FEATURE_REST:
            return rows.index(item.feature or ""), 1
        case PlayerKind.EVENT_REST | PlayerKind.OTHER:
            return rows.index(""), 1
        case _:
            return 0, max(len(rows), 1)


def draw_cells(axes: Axes, grid: Grid, words: Phrases, unit: str) -> None:
    """Draws the heat map of the first target (TimeSHAP, Fig. 5g and 5h)."""
    patches = require("matplotlib.patches", style.EXTRA)
    scale = _scale(grid)
    for (column, row, count), item in zip(grid.places, grid.items, strict=True):
        colour = style.colour_of(item.value, scale)
        axes.add_patch(
            patches.Rectangle((column, row), 1, count, facecolor=colour, edgecolor="white", linewidth=1.5)
        )
        axes.text(
            column + 0.5,
            row + count / 2,
            _number(words, item),
            ha="center",
            va="center",
            fontsize=style.FONT_SIZE - 1,
            color=_ink(colour),
        )
    axes.set_xlim(0, len(grid.columns))
    axes.set_ylim(len(grid.rows), 0)
    _labels(axes, grid)
    bar = style.figure_of(axes).colorbar(scale, ax=axes, format=style.signed_tick, pad=0.02)
    bar.set_label(f"{unit}\n(− lowers the score, + raises it)")
    bar.outline.set_visible(False)


def _scale(grid: Grid) -> Scale:
    end = style.largest(item.value for item in grid.items)
    return style.colour_scale(end)


def _labels(axes: Axes, grid: Grid) -> None:
    columns = [style.wrapped(label, _COLUMN_LABEL) for label in grid.columns]
    axes.set_xticks([at + 0.5 for at in range(len(columns))], columns, fontsize=style.FONT_SIZE - 1)
    rows = [style.wrapped(label, _ROW_LABEL) for label in grid.rows]
    axes.set_yticks([at + 0.5 for at in range(len(rows))], rows)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _number(words: Phrases, item: Attribution) -> str:
    error = f"\n± {words.number(item.margin)}" if item.standard_error else ""
    return words.signed(item.value) + error


def _ink(colour: style.Colour) -> str:
    """Returns black or white, whichever is legible on the colour."""
    red, green, blue, _ = colour
    return style.INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _DARK else "white"
