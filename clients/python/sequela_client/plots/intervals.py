"""Draws means and rates by group or feature, each with its 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.extras import require
from sequela_client.plots.cohort import nothing
from sequela_client.plots.rows import column, row_labels, short, with_error
from sequela_client.plots.style import (
    COOL,
    EXTRA,
    FONT_SIZE,
    INK,
    NEUTRAL,
    WARM,
    WIDTH,
    attribution_axis,
    empty_axes,
    empty_figure,
    figure_of,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A figure shows at most this many rows. The table beside it has all.
MOST_ROWS = 25
CHANGE_LABEL = "change of the mean, with its 95 % interval\nfilled: beyond chance after correction (p < 0.05)"


@dataclass(frozen=True, slots=True)
class Rows:
    """Estimates with their intervals, one for each row, and the texts on their right."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    filled: NDArray[np.bool_]
    texts: Sequence[str]


def fairness(table: Any, feature: str, by: str) -> Figure:
    """Draws, by group, the attribution of a feature and the rates of positive predictions and false positives."""
    if not table.num_rows:
        return nothing("There are no rows.")
    names = [f"{short(each)}\n(n = {n:,})" for each, n in zip(*_columns(table, "group", "n"), strict=True)]
    with_outcome = table["negatives"].null_count < table.num_rows
    with styled():
        height = 1.5 + sum(0.1 + 0.17 * (1 + each.count("\n")) for each in names)
        figure = empty_figure(WIDTH + 1.2, height)
        panels = figure.subplots(1, 3 if with_outcome else 2, sharey=True)
        values, *rates = panels
        mean = column(table, "mean")
        _draw(values, Rows(mean, column(table, "low"), column(table, "high"), _all(mean), _signed(mean)))
        values.axvline(0, color=NEUTRAL, linewidth=0.8)
        attribution_axis(values.xaxis, 4)
        values.set_title(f"Attribution of\n{short(feature)}")
        for axes, name, title in zip(
            rates,
            ("positive_rate", "false_positive_rate"),
            ("Positive\npredictions", "False positives\namong negatives"),
            strict=False,
        ):
            _draw_rate(axes, table, name)
            axes.set_title(title)
        row_labels(values, names)
        figure.supxlabel(f"by {short(by)}; bars are 95 % intervals", fontsize=FONT_SIZE)
        return figure


def _columns(table: Any, *names: str) -> list[list[Any]]:
    return [table[name].to_pylist() for name in names]


def _all(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.ones(len(values), dtype=np.bool_)


def _signed(values: NDArray[np.float64]) -> list[str]:
    return [f"{each:+.3f}" if np.isfinite(each) else "none" for each in values]


def _draw_rate(axes: Axes, table: Any, name: str) -> None:
    rate = column(table, name)
    texts = [f"{each:.1%}" if np.isfinite(each) else "none" for each in rate]
    _draw(
        axes, Rows(rate, column(table, f"{name}_low"), column(table, f"{name}_high"), _all(rate), texts), INK
    )
    # The axis ends with the intervals, not at 100 %: rates of false positives are often a few per cent.
    highest = np.nanmax(np.append(column(table, f"{name}_high"), 0.01))
    axes.set_xlim(-0.02 * highest, min(1.05 * highest, 1.02))
    ticker = require("matplotlib.ticker", EXTRA)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(3, min_n_ticks=2))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))


def drift(table: Any, labels: dict[str, str] | None = None) -> Figure:
    """Draws the changes of the mean score and of mean attributions between two periods, on a scale for each."""
    kinds = table["kind"].to_pylist()
    if not kinds:
        return nothing("There are no rows.")
    features = table.slice(kinds.count("score"))
    with styled():
        names = _names(features, labels)
        heights = [0.9, 0.6 + _height(names)]
        figure = empty_figure(WIDTH, sum(heights) + 0.7)
        score, below = figure.subplots(2, 1, height_ratios=heights)
        _draw_changes(score, table.slice(0, kinds.count("score")), ["mean score"])
        _draw_changes(below, features, names)
        score.set_title("Changes from before to after")
        below.set_title(f"Mean attributions{_more(features)}")
        below.set_xlabel(CHANGE_LABEL)
        return figure


def comparison(
    table: Any, labels: dict[str, str] | None = None, names: tuple[str, str] = ("first", "second")
) -> Figure:
    """Mean differences of attributions between two cohorts on the same sequences. `names` are those of the cohorts."""
    if not table.num_rows:
        return nothing("There are no common features.")
    with styled():
        rows = _names(table, labels)
        axes = empty_axes(WIDTH, 1.3 + _height(rows))
        _draw_changes(axes, table, rows)
        axes.set_xlabel(CHANGE_LABEL)
        axes.set_title(f"Mean differences, {names[1]} minus {names[0]}{_more(table)}")
        return figure_of(axes)


def _names(table: Any, labels: dict[str, str] | None) -> list[str]:
    names = table["feature"].to_pylist()[:MOST_ROWS]
    return [short((labels or {}).get(each, each)) for each in names]


def _height(names: Sequence[str]) -> float:
    return sum(0.12 + 0.17 * (1 + each.count("\n")) for each in names)


def _more(table: Any) -> str:
    return f" (the first {MOST_ROWS} of {table.num_rows})" if table.num_rows > MOST_ROWS else ""


def _draw_changes(axes: Axes, table: Any, names: Sequence[str]) -> None:
    shown = table.slice(0, MOST_ROWS)
    change, low, high = (column(shown, name) for name in ("change", "low", "high"))
    texts = [with_error(value, half) for value, half in zip(change, (high - low) / 2, strict=True)]
    _draw(axes, Rows(change, low, high, column(shown, "p_adjusted") < 0.05, texts))
    axes.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=1)
    row_labels(axes, names)
    axes.margins(x=0.08)
    attribution_axis(axes.xaxis, 7)


def _draw(axes: Axes, rows: Rows, colour: str = "") -> None:
    """Draws the rows. If no colour is given, it follows from the sign."""
    for place, (value, low, high) in enumerate(zip(rows.value, rows.low, rows.high, strict=True)):
        own = colour or (WARM if value > 0 else COOL if value < 0 else NEUTRAL)
        if np.isfinite(value):
            if np.isfinite(low) and np.isfinite(high):
                axes.plot([low, high], [place, place], color=own, linewidth=1.6, zorder=2)
            face = own if rows.filled[place] else "white"
            axes.plot([value], [place], marker="o", color=own, markerfacecolor=face, markersize=6, zorder=3)
        axes.annotate(
            rows.texts[place],
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT_SIZE - 1,
        )
